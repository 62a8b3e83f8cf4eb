"""A ZIP of images: unpacked into children, waited for, packed again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from kiosk_locust.consumer.archive import SEPARATOR
from kiosk_locust.simulator.contents import Contents, Image
from kiosk_locust.simulator.images import ImageJob, SimulatedLife, name_of_child, traceback_of
from kiosk_locust.simulator.rng import Purpose, duration, stream
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


class Unpacking(NamedTuple):
    """One consumer's work on a ZIP; ``images`` is None where nobody knows what is in it."""

    consumer: str
    began_at: float
    image_s: float  # to unpack and queue one image
    cleanup_s: float  # to pack the results
    images: tuple[Image, ...] | None
    fails: bool
    tells_finish: bool  # finished_at is written of one that failed
    is_stuck: bool  # its last child is listed in pieces, and never found to have ended


def plan_unpacking(
    archive: ZipJob, settings: ClusterSettings, slot: int, now: float, contents: Contents | None
) -> Unpacking:
    """Draw how consumer ``slot`` unpacks a ZIP from ``now`` on; ``contents`` is None if unknown."""
    rng = stream(settings.seed, Purpose.WORK, archive.number)
    image_s = duration(rng, settings.zip_image_s, settings.spread)
    cleanup_s = duration(rng, settings.zip_cleanup_s, settings.spread)
    fails = rng.random() < settings.zip_failure_rate
    images = contents.children if contents else None
    return Unpacking(
        f"{archive.form.queue}-consumer-{slot}",
        now,
        image_s,
        cleanup_s,
        images,
        fails=fails or (contents is not None and images is None),
        tells_finish=rng.random() >= settings.finished_at_missing_rate,
        is_stuck=rng.random() < settings.zip_stuck_rate and images != (),  # none has no last child
    )


class ZipJob:
    """A ZIP job; the moments in its life are None until they have come (epoch seconds)."""

    __slots__ = (
        "children", "created_at", "done", "ended_at", "expires_at", "failed", "form", "gone",
        "inflated", "key", "number", "packing_at", "touched_at", "unpacking", "waiting_at",
    )  # fmt: skip

    def __init__(self, key: str, number: int, form: SimulatedSubmission, created_at: float) -> None:
        self.key = key
        self.number = number
        self.form = form
        self.created_at = created_at
        self.unpacking: Unpacking | None = None
        self.children: list[ImageJob] = []
        self.done: list[ImageJob] = []  # in the order in which they ended
        self.failed: list[ImageJob] = []
        self.inflated = 2  # how many more the last look that found an end took for ended
        self.touched_at = created_at
        self.waiting_at: float | None = None
        self.packing_at: float | None = None
        self.ended_at: float | None = None
        self.expires_at: float | None = None
        self.gone = False

    def begin(self, unpacking: Unpacking) -> None:
        """A consumer takes it."""
        self.unpacking = unpacking
        self.touched_at = unpacking.began_at

    def size(self, unknown: int) -> int:
        """How many images are in it, ``unknown`` where nobody knows."""
        images = self.unpacking.images if self.unpacking else None
        return unknown if images is None else len(images)

    def next_child(
        self, identity: str, on_end: Callable[[ZipJob, ImageJob, float], None], now: float
    ) -> ImageJob:
        """Unpack the next image, as a job whose key ends with ``identity``."""
        number = len(self.children) + 1
        images = self.unpacking.images if self.unpacking else None
        image = images[number - 1] if images else None
        name = image.name if image else name_of_child(number)
        key = f"{self.form.job_type}:{name}:{identity}"
        child = ImageJob(
            key, self.number, self.form, now, on_end=partial(on_end, self), child=number,
            image=image,
        )  # fmt: skip
        self.children.append(child)
        self.touched_at = now
        return child

    def wait(self, now: float) -> None:
        """All children are there."""
        self.waiting_at = self.touched_at = now

    def pack(self, now: float) -> float:
        """Its consumer begins to pack; returns when it will have done so."""
        self.packing_at = now
        return now + (self.unpacking.cleanup_s if self.unpacking else 0.0)

    def end(self, now: float) -> None:
        """It is packed, or its consumer gave it up."""
        self.ended_at = self.touched_at = now

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
        """True once it is unpacked and each child has ended."""
        ended = len(self.done) + len(self.failed)
        is_unpacked = self.waiting_at is not None and ended == len(self.children)
        return is_unpacked and not (self.unpacking and self.unpacking.is_stuck)

    def status(self, now: float) -> str:  # noqa: ARG002  as ImageJob.status
        """The status now: a ZIP's moments come as events, so it needs no time."""
        if self.ended_at is not None:
            return "failed" if self.unpacking and self.unpacking.fails else "done"
        return "new" if self.waiting_at is None else "waiting"

    def life(self, now: float) -> SimulatedLife:  # noqa: ARG002  as ImageJob.life
        """What really became of it, by no skewed clock."""
        began_at = self.unpacking.began_at if self.unpacking else None
        done, failed = len(self.done), len(self.failed)
        return SimulatedLife(
            self.created_at, began_at, self.ended_at, done, failed,
            unpacked_at=self.waiting_at, packing_at=self.packing_at,
        )  # fmt: skip

    def _seen_at(self, now: float) -> float:
        """When a consumer wrote last: a ZIP that waits is looked at again and again."""
        if self.waiting_at is None or self.ended_at is not None:
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
        unpacking = self.unpacking
        if unpacking is None:
            return found
        found |= {
            "updated_at": consumer_time(self._seen_at(now) + skew_s),
            "updated_by": unpacking.consumer,
        }
        if self.waiting_at is not None:
            found |= self._lists(self.waiting_at - unpacking.began_at, now)
            if unpacking.is_stuck:  # the consumer looks again and again
                found |= self._stuck_lists() | {"updated_at": consumer_time(now + skew_s)}
        if self.ended_at is None:
            return found
        if not unpacking.fails:
            return found | self._summary(self.ended_at, unpacking.cleanup_s, settings)
        found["reason"] = traceback_of(BAD_ZIP)
        if unpacking.tells_finish:
            found["finished_at"] = consumer_time(self.ended_at + skew_s)
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
        is_fresh = ended and (now < self.touched_at + LOOK_S or self.ended_at is not None)
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

    def _summary(
        self, done_at: float, cleanup_s: float, settings: ClusterSettings
    ) -> dict[str, str]:
        output = f"output/{self.key.rsplit(':', 1)[-1]}.zip"
        return {
            "finished_at": consumer_time(done_at + settings.consumer_skew_s),
            "output_url": f"{settings.bucket_url}/{output}",
            "output_file_name": output,
            "total_jobs": str(max(1, len(self.children))),  # of an empty list it counts the text ''
            "cleanup_time": seconds(cleanup_s),
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
