"""One image and its way through a consumer; its hash is worked out when it is read."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Literal, NamedTuple

from kiosk_locust.consumer.forms import Form, FormFailure, failure
from kiosk_locust.simulator.contents import BAD_IMAGE, Image
from kiosk_locust.simulator.rng import duration
from kiosk_locust.simulator.settings import ClusterSettings
from kiosk_locust.simulator.submission import SimulatedSubmission
from kiosk_locust.simulator.timestamps import consumer_time, frontend_time, seconds

STAGES = ("started", "pre-processing", "predicting", "post-processing", "saving-results")
#: What a consumer writes on its way; a hash keeps it when the consumer dies.
TIMINGS = ("download_time", "prediction_time", "predict_retries", "postprocess_time")


class SimulatedAttempt(NamedTuple):
    """One consumer's work on an image: ``ends`` are the ends of the stages that it reached.

    ``lost`` means that the consumer died in the last of them, and the status stays there.
    """

    consumer: str
    started_at: float
    ends: tuple[float, ...]
    result: Literal["done", "failed", "lost"]
    error: str = ""
    tells_finish: bool = True  # whether finished_at is written

    @property
    def over_at(self) -> float:
        """When the consumer is free again."""
        return self.ends[-1]

    def stage(self, now: float) -> int:
        """Index in STAGES of the stage at ``now``; their number reached once it is over."""
        reached = bisect_right(self.ends, now)
        return min(reached, len(self.ends) - 1) if self.result == "lost" else reached

    def status(self, now: float) -> str:
        """The status that this attempt has written by ``now``."""
        stage = self.stage(now)
        return STAGES[stage] if stage < len(self.ends) else self.result

    def changed_at(self, now: float) -> float:
        """When that status was written."""
        stage = self.stage(now)
        return self.ends[stage - 1] if stage else self.started_at

    def succeeded(self, now: float) -> int:
        """How many stages have ended well by ``now``."""
        stage = self.stage(now)
        return stage if self.result == "done" else min(stage, len(self.ends) - 1)

    def took(self, stage: int) -> str:
        """Seconds that a stage took, as text."""
        begin = self.ends[stage - 1] if stage else self.started_at
        return seconds(self.ends[stage] - begin)


def plan_attempt(
    form: SimulatedSubmission,
    settings: ClusterSettings,
    rng: random.Random,
    consumer: str,
    now: float,
    *,
    image: Image | None = None,
) -> SimulatedAttempt:
    """Draw how one attempt goes that begins at ``now``; ``image`` is None where it is not known."""
    durations = [duration(rng, median, settings.spread) for median in settings.stages_s]
    ends = tuple(accumulate(durations, initial=now))[1:]
    fails, dies = rng.random() < settings.failure_rate, rng.random() < settings.requeue_rate
    tells_finish = rng.random() >= settings.finished_at_missing_rate
    if fails_at := _failure(form, image):
        reached = STAGES.index(fails_at.status) + 1 if fails_at.status in STAGES else 1
        return SimulatedAttempt(
            consumer, now, ends[:reached], "failed", fails_at.error, tells_finish
        )
    if not (dies or fails):
        return SimulatedAttempt(consumer, now, ends, "done")
    last = rng.randrange(len(ends)) + 1
    if dies:
        return SimulatedAttempt(consumer, now, ends[:last], "lost")
    return SimulatedAttempt(consumer, now, ends[:last], "failed", BAD_IMAGE, tells_finish)


def _failure(form: SimulatedSubmission, image: Image | None) -> FormFailure | None:
    """How the consumer must fail, by the form and the file."""
    if image is not None and image.error:
        return FormFailure("started", image.error)
    return failure(
        Form(
            form.job_type,
            form.fields.get("dimension_order", ""),
            form.fields.get("channels", ""),
            form.fields.get("segmentation_type", ""),
        ),
        image.array if image else None,
        image.name if image else form.uploaded_name,
    )


class SimulatedLife(NamedTuple):
    """A job's true life: epoch seconds, None where that has not come yet; counts of images.

    ``started_at`` is when the consumer that works on it now, or finished it, took it from the
    queue; ``first_started_at`` when the first one did, which is another moment where that one died.
    Of a ZIP: ``unpacked_at`` is when all its children were there, ``packing_at`` when a consumer
    saw that they had ended and began to pack.
    """

    created_at: float
    started_at: float | None
    ended_at: float | None
    images_done: int
    images_failed: int
    first_started_at: float | None = None
    interruptions: int = 0
    unpacked_at: float | None = None
    packing_at: float | None = None


def name_of_child(number: int) -> str:
    """The file name of a ZIP's ``number``-th image."""
    return f"image_{number:05d}.png"


class ImageJob:
    """An image job, submitted by itself or a ZIP's child.

    ``on_end`` is told of its end, and then forgotten.
    """

    __slots__ = (
        "attempt", "attempts", "child", "created_at", "expires_at", "first_started_at", "form",
        "gone", "image", "key", "left", "number", "on_end",
    )  # fmt: skip

    def __init__(
        self, key: str, number: int, form: SimulatedSubmission, created_at: float, *,
        on_end: Callable[[ImageJob, float], None], child: int = 0, image: Image | None = None,
    ) -> None:  # fmt: skip
        self.key = key
        self.number = number
        self.child = child  # 1, 2, … among its ZIP's children; 0: it is no child
        self.form = form
        self.on_end: Callable[[ImageJob, float], None] | None = on_end
        self.image = image  # None: nobody knows the file
        self.created_at = created_at
        self.attempt: SimulatedAttempt | None = None
        self.attempts = 0
        self.first_started_at: float | None = None
        self.left: dict[str, str] = {}  # what consumers that died have written and nobody deletes
        self.expires_at: float | None = None
        self.gone = False

    @property
    def name(self) -> str:
        """The image's file name; a child's is that in its ZIP."""
        if not self.child:
            return self.form.image_name
        return self.image.name if self.image else name_of_child(self.child)

    def status(self, now: float) -> str:
        """The status at ``now``."""
        return self.attempt.status(now) if self.attempt else "new"

    def life(self, now: float) -> SimulatedLife:
        """What really became of it by ``now``, by no skewed clock."""
        attempt = self.attempt
        if attempt is None:
            return SimulatedLife(self.created_at, None, None, 0, 0)
        lost = self.attempts - 1
        begun = self.created_at, attempt.started_at
        if attempt.result == "lost" or now < attempt.over_at:
            return SimulatedLife(*begun, None, 0, 0, self.first_started_at, lost)
        done = attempt.result == "done"
        images = int(done), int(not done)
        return SimulatedLife(*begun, attempt.over_at, *images, self.first_started_at, lost)

    def begin(self, attempt: SimulatedAttempt, settings: ClusterSettings) -> None:
        """A consumer takes it; timings that one before it wrote stay until it writes its own."""
        if self.attempt:
            written = _written(self.attempt, self.key, attempt.started_at, settings)
            self.left |= {name: text for name, text in written.items() if name in TIMINGS}
        if self.first_started_at is None:
            self.first_started_at = attempt.started_at
        self.attempt = attempt
        self.attempts += 1

    def end(self, now: float) -> None:
        """Tell of its end, once."""
        if self.on_end:
            on_end, self.on_end = self.on_end, None
            on_end(self, now)

    def fields(self, now: float, settings: ClusterSettings) -> dict[str, str]:
        """The whole hash at ``now``."""
        if self.child:  # the ZIP's consumer made it
            created = consumer_time(self.created_at + settings.consumer_skew_s)
        else:
            created = frontend_time(self.created_at + settings.frontend_skew_s)
        found = {
            "original_name": self.name,
            "input_file_name": f"{self.form.uploaded_name}/{self.name}"
            if self.child
            else self.form.uploaded_name,
            **self.form.fields,
            "identity_upload": "zip-consumer" if self.child else "kiosk-frontend",
            "status": "new",
            "created_at": created,
            "updated_at": created,
        }
        if self.attempt:
            found |= self.left | _written(self.attempt, self.key, now, settings)
        return found


def _written(
    attempt: SimulatedAttempt, key: str, now: float, settings: ClusterSettings
) -> dict[str, str]:
    """The fields that a consumer has written by ``now``."""
    stage = attempt.stage(now)
    changed = consumer_time(attempt.changed_at(now) + settings.consumer_skew_s)
    found = {
        "status": attempt.status(now),
        "updated_at": changed,
        "updated_by": attempt.consumer,
        "identity_started": attempt.consumer,
    }
    if settings.stage_times:
        found["started_at"] = consumer_time(attempt.started_at + settings.consumer_skew_s)
    succeeded = attempt.succeeded(now)
    if succeeded >= 1:
        found["download_time"] = attempt.took(0)
    if settings.stage_times and succeeded >= 3:
        found |= {"prediction_time": attempt.took(2), "predict_retries": "0"}
    if settings.stage_times and succeeded >= 4:
        found["postprocess_time"] = attempt.took(3)
    if stage < len(attempt.ends):
        return found
    if attempt.result == "done":
        output = f"output/{key.rsplit(':', 1)[-1]}.zip"
        found |= {
            "output_url": f"{settings.bucket_url}/{output}",
            "output_file_name": output,
            "total_jobs": "1",
            "total_time": seconds(attempt.over_at - attempt.started_at),
            "upload_time": attempt.took(4),
        }
    else:
        found["reason"] = traceback_of(attempt.error)
    if attempt.tells_finish:
        found["finished_at"] = changed
    return found


def traceback_of(error: str) -> str:
    """A reason as consumers write it: several lines, with commas."""
    return (
        "Traceback (most recent call last):\n"
        '  File "/usr/src/app/redis_consumer/consumers/base_consumer.py", line 194, in consume\n'
        "    status = self._consume(redis_hash)\n"
        f"{error}"
    )
