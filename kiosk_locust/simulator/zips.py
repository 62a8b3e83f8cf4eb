"""A ZIP of images: unpacked into children, waited for, packed again."""

from __future__ import annotations

from urllib.parse import urlencode

from kiosk_locust.consumer.archive import SEPARATOR
from kiosk_locust.simulator.contents import Image
from kiosk_locust.simulator.images import ImageJob, SimulatedLife, traceback_of
from kiosk_locust.simulator.rng import Purpose, stream
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.submission import SimulatedSubmission
from kiosk_locust.simulator.timestamps import consumer_time, frontend_time, seconds

SUMMED = (
    "prediction_time", "postprocess_time", "upload_time", "download_time", "total_time",
    "predict_retries",
)  # fmt: skip
BAD_ZIP = "ValueError: File is not a zip file, or it is truncated"


#: A consumer looks at a waiting ZIP so often (s).
LOOK_S = 1.0


class ZipJob:
    """A ZIP job; the moments in its life are None until they have come (epoch seconds)."""

    __slots__ = (
        "children", "cleanup_s", "consumer", "created_at", "done", "done_at", "expires_at",
        "failed", "failed_at", "form", "gone", "images", "inflated", "key", "number", "packing_at",
        "picked_at", "stuck", "tells_finish", "touched_at", "waiting_at",
    )  # fmt: skip

    def __init__(self, key: str, number: int, form: SimulatedSubmission, created_at: float) -> None:
        self.key = key
        self.number = number
        self.form = form
        self.created_at = created_at
        self.consumer = ""
        self.images: tuple[Image, ...] | None = None  # None: nobody knows what is in it
        self.children: list[ImageJob] = []
        self.done: list[ImageJob] = []  # in the order in which they ended
        self.failed: list[ImageJob] = []
        self.inflated = 2  # how many more the last look that found an end took for ended
        self.packing_at: float | None = None
        self.picked_at: float | None = None
        self.touched_at = created_at
        self.waiting_at: float | None = None
        self.done_at: float | None = None
        self.failed_at: float | None = None
        self.cleanup_s = 0.0
        self.stuck = False  # its last child is listed in pieces, and never found to have ended
        self.tells_finish = True
        self.expires_at: float | None = None
        self.gone = False

    def take_end(self, child: ImageJob, now: float) -> None:
        """A child has ended at ``now``; one whose key the lists cannot carry is never seen so."""
        if SEPARATOR in child.key:
            return
        self.inflated = (not self.done) + (not self.failed)
        ended_well = child.status(now) == "done"
        (self.done if ended_well else self.failed).append(child)
        self.touched_at = now

    @property
    def is_ready_to_pack(self) -> bool:
        """Whether it is unpacked and each child has ended."""
        ended = len(self.done) + len(self.failed)
        return self.waiting_at is not None and ended == len(self.children) and not self.stuck

    def status(self, now: float) -> str:  # noqa: ARG002  as ImageJob.status
        """The status now: a ZIP's moments come as events, so it needs no time."""
        if self.failed_at is not None:
            return "failed"
        if self.done_at is not None:
            return "done"
        return "new" if self.waiting_at is None else "waiting"

    def life(self, now: float) -> SimulatedLife:  # noqa: ARG002  as ImageJob.life
        """What really became of it, by no skewed clock."""
        ended_at = self.done_at if self.failed_at is None else self.failed_at
        done, failed = len(self.done), len(self.failed)
        return SimulatedLife(
            self.created_at, self.picked_at, ended_at, done, failed,
            unpacked_at=self.waiting_at, packing_at=self.packing_at,
        )  # fmt: skip

    def _seen_at(self, now: float) -> float:
        """When a consumer wrote last: a ZIP that waits is looked at again and again."""
        if self.waiting_at is None or self.done_at is not None:
            return self.touched_at
        return max(self.touched_at, now - (now - self.waiting_at) % LOOK_S)

    def fields(self, now: float, settings: ClusterSettings) -> dict[str, str]:
        """The whole hash at ``now``."""
        created = frontend_time(self.created_at + settings.frontend_skew_s)
        skew_s = settings.consumer_skew_s
        found = {
            "original_name": self.form.image_name,
            "input_file_name": self.form.uploaded_name,
            **self.form.fields,
            "identity_upload": "kiosk-frontend",
            "status": self.status(now),
            "created_at": created,
            "updated_at": created,
        }
        if self.picked_at is None:
            return found
        found |= {
            "updated_at": consumer_time(self._seen_at(now) + skew_s),
            "updated_by": self.consumer,
        }
        if self.failed_at is not None:
            found["reason"] = traceback_of(BAD_ZIP)
            if self.tells_finish:
                found["finished_at"] = consumer_time(self.failed_at + skew_s)
        if self.waiting_at is not None:
            found |= self._lists(self.waiting_at - self.picked_at, now)
            if self.stuck:  # the consumer looks again and again
                found |= self._stuck_lists() | {"updated_at": consumer_time(now + skew_s)}
        if self.done_at is not None:
            found |= self._summary(self.done_at, settings)
        return found

    def _lists(self, unpacking_s: float, now: float) -> dict[str, str]:
        ended = len(self.done) + len(self.failed)
        found = {
            "children": _joined(self.children),
            "children_upload_time": seconds(unpacking_s),
            "progress": str(self._progress(now)),
        }
        if ended or not self.children:  # written by the first look that finds it so
            found |= {"children:done": _joined(self.done), "children:failed": _joined(self.failed)}
        return found

    def _progress(self, now: float) -> int:
        """What the consumer takes for the share of children that ended, in percent.

        It reads an empty list as one with an empty name in it, so that it counts one too many for
        each list that was empty before its look: with 3 children it writes 0, 67, 100 at the end
        of the first one, and 67 again.
        """
        ended = len(self.done) + len(self.failed)
        began = self.waiting_at if self.waiting_at is not None else now
        if not ended and now < began + LOOK_S:  # nobody has looked yet
            return 0
        is_fresh = ended and (now < self.touched_at + LOOK_S or self.done_at is not None)
        inflated = self.inflated if is_fresh else (not self.done) + (not self.failed)
        return min(100, round(100 * (ended + inflated) / max(1, len(self.children))))

    def _stuck_lists(self) -> dict[str, str]:
        """The lists where the last child's name has a comma: its key stands there in pieces."""
        *others, last = self.children
        head, _, identity = last.key.rpartition(":")
        queue, _, name = head.partition(":")
        broken = f"{queue}:{name.replace('.', ',.')}:{identity}"
        found = {"children": ",".join([*(child.key for child in others), broken])}
        ended = {
            "children:done": _joined([child for child in self.done if child is not last]),
            "children:failed": _joined([child for child in self.failed if child is not last]),
        }
        return found | (ended if any(ended.values()) else {})

    def _summary(self, done_at: float, settings: ClusterSettings) -> dict[str, str]:
        output = f"output/{self.key.rsplit(':', 1)[-1]}.zip"
        return {
            "finished_at": consumer_time(done_at + settings.consumer_skew_s),
            "output_url": f"{settings.bucket_url}/{output}",
            "output_file_name": output,
            "total_jobs": str(max(1, len(self.children))),  # of an empty list it counts the text ''
            "cleanup_time": seconds(self.cleanup_s),
            "failures": urlencode(
                {child.key: child.fields(done_at, settings)["reason"] for child in self.failed}
            ),
            **self._timings(done_at, settings),
        }

    def _timings(self, done_at: float, settings: ClusterSettings) -> dict[str, str]:
        """One number a finished child and field, less those that the consumer missed."""
        rng = stream(settings.seed, Purpose.WORK, self.number, part=1)
        kept: dict[str, list[str]] = {}
        for child in self.done:
            hash_ = child.fields(done_at, settings)
            for name in SUMMED:
                missed = rng.random() < settings.lost_timings_rate
                if name in hash_ and not missed:
                    kept.setdefault(name, []).append(str(float(hash_[name])))
        return {name: ",".join(numbers) for name, numbers in kept.items()}


def _joined(jobs: list[ImageJob]) -> str:
    return ",".join(job.key for job in jobs)
