"""A job's file on its way, before the job is submitted; in time that does not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gevent.event import Event

from kiosk_locust.client.retry import Backoff
from kiosk_locust.errors import (
    BucketUnreachable,
    Busy,
    InputError,
    KioskLocustError,
    NoAnswer,
    NotPermitted,
    Redirected,
    Refused,
    ServerFault,
    Unreachable,
    Withdrawn,
)
from kiosk_locust.model.record import Outcome, Record, Upload
from kiosk_locust.storage.upload_stage import Delivery
from tests.execution.test_job import Log, Scene

NAME = "uploads/0123.png"


class ScriptedUploader:
    """Answers each upload with the next thing of its script; the last one for ever."""

    def __init__(self, scene: Scene, *script: Any) -> None:
        self.scene = scene
        self.script = list(script)

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:
        self.scene.log.append("upload")
        if not wanted():
            raise Withdrawn("no longer")
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, BaseException):
            raise answer
        now = self.scene.clock.now()
        return Upload(now, now + 1, 10, answer)


def live(*script: Any, **options: Any) -> tuple[Scene, Record]:
    scene = Scene()
    scene.record.request = replace(scene.record.request, uploaded_name="")
    return scene, scene.live(uploader=ScriptedUploader(scene, *script), **options)


def test_a_job_is_submitted_for_what_the_upload_named_once_that_is_durable() -> None:
    scene, record = live(NAME)
    begin = scene.log[: scene.log.index("predict") + 1]
    assert begin[:4] == ["settle 7", "upload", f"uploaded {NAME}", "settle"]
    assert record.request.uploaded_name == NAME
    assert (record.outcome, record.upload and record.upload.name) == (Outcome.DONE, NAME)


@pytest.mark.parametrize(
    "fault",
    [
        NoAnswer("reset"),
        ServerFault("500", status=500),
        Busy("429", status=429, retry_after_s=None),
        Unreachable("refused"),
        BucketUnreachable("503"),
    ],
)
def test_whatever_may_pass_costs_another_upload_and_no_ambiguity(fault: KioskLocustError) -> None:
    scene, record = live(fault, fault, NAME)
    assert scene.log.count("upload") == 3
    assert scene.log.count("not uploaded") == 2
    assert (record.outcome, record.ambiguous, len(record.attempts)) == (Outcome.DONE, False, 1)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Refused("413 too large", status=413), Outcome.REJECTED),
        (Redirected("moved", status=302, location="x"), Outcome.ERROR),
        (InputError("x.png is gone"), Outcome.ERROR),
        (NotPermitted("403"), Outcome.ERROR),
    ],
)
def test_what_lasts_ends_the_job_without_a_submission(
    fault: KioskLocustError, outcome: Outcome
) -> None:
    scene, record = live(fault)
    assert (record.outcome, scene.log.count("upload")) == (outcome, 1)
    assert str(fault) in record.reason
    assert "predict" not in scene.log


class Reusing(Log):
    """A log to which some names are not new."""

    def __init__(self, log: list[str], *old: str) -> None:
        super().__init__(log)
        self.old = old

    def is_reused(self, record: Record, upload: Upload) -> bool:
        self.log.append("is it new?")
        return upload.name in self.old


def delivered(*names: str, old: tuple[str, ...]) -> tuple[Scene, Any]:
    scene = Scene()
    way = Delivery(
        ScriptedUploader(scene, *names),
        Reusing(scene.log, *old),
        clock=scene.clock,
        backoff=Backoff(scene.rng),
        alarm=Event(),
        budget_s=60.0,
    )
    return scene, way.make(scene.record, lambda: True)


def test_a_name_that_is_not_new_costs_another_upload() -> None:
    scene, ending = delivered("a", "b", "c", old=("a", "b"))
    assert ending is None
    assert scene.record.request.uploaded_name == "c"
    assert scene.log == [
        "upload", "uploaded a", "settle", "is it new?",
        "upload", "uploaded b", "settle", "is it new?",
        "upload", "uploaded c", "settle", "is it new?",
    ]  # fmt: skip


def test_a_kiosk_that_never_gives_a_new_name_costs_five_uploads_and_an_error() -> None:
    scene, ending = delivered("a", old=("a",))
    outcome, reason = ending
    assert outcome is Outcome.ERROR
    assert "it was given the name a, which an earlier upload of this run has" in reason
    assert scene.log.count("upload") == 5
    assert scene.record.upload is None


def test_after_the_retry_budget_an_upload_is_given_up() -> None:
    _, record = live(NoAnswer("reset"), retry_budget_s=60.0)
    assert (record.outcome, record.reason) == (Outcome.ERROR, "not uploaded: reset")


def test_a_run_that_ends_first_leaves_the_job_surely_not_submitted() -> None:
    scene = Scene()
    scene.stopping.set()
    record = scene.live(uploader=ScriptedUploader(scene, NAME))
    assert record.outcome is Outcome.UNFINISHED
    assert "predict" not in scene.log
    assert not record.ambiguous


def test_a_job_that_was_submitted_before_is_not_uploaded_again() -> None:
    scene = Scene()
    scene.record.job_id = "segmentation:image.png:1"
    scene.live(uploader=ScriptedUploader(scene, NAME))
    assert "upload" not in scene.log
