"""A job that ends while its calls fail has the last error in its reason."""

from __future__ import annotations

import pytest

from kiosk_locust.errors import Busy, NoAnswer, ServerFault
from kiosk_locust.execution.job import Interrupted
from kiosk_locust.model.record import Outcome
from tests.execution.test_job import Scene
from tests.storage.test_upload_stage import live

BAD = ServerFault("answered 502", status=502)
BUSY = Busy("answered 503", status=503, retry_after_s=None)
NEW = {"status": "new", "created_at": "2026-01-01T00:00:00Z"}


def test_a_job_that_timed_out_while_polls_failed_says_so() -> None:
    scene = Scene()
    scene.kiosk.reads = [NEW, BAD]
    record = scene.live(job_timeout_s=60.0)
    assert record.outcome is Outcome.TIMEOUT
    assert record.reason.endswith("; the last error: answered 502")


def test_a_job_whose_polls_work_again_does_not() -> None:
    scene = Scene()
    scene.kiosk.reads = [BAD, NEW]
    record = scene.live(job_timeout_s=60.0)
    assert record.outcome is Outcome.TIMEOUT
    assert "error" not in record.reason


@pytest.mark.parametrize("fault", [BUSY, NoAnswer("reset")])
def test_a_job_whose_run_ends_while_it_is_being_submitted_says_so(fault: Exception) -> None:
    scene = Scene()
    scene.kiosk.predicts = [fault, Interrupted("the run was ended by Ctrl-C")]
    record = scene.live()
    assert record.outcome is Outcome.UNFINISHED
    assert record.reason == f"the run was ended by Ctrl-C; the last error: {fault}"


def test_one_whose_run_ends_while_it_is_being_uploaded_says_so() -> None:
    _, record = live(BUSY, Interrupted("the run was ended by Ctrl-C"))
    assert record.outcome is Outcome.UNFINISHED
    assert record.reason == "the run was ended by Ctrl-C; the last error: answered 503"


def test_the_error_stands_there_once() -> None:
    scene = Scene()
    scene.kiosk.reads = [BAD]
    record = scene.live(retry_budget_s=60.0)
    assert record.outcome is Outcome.ERROR
    assert record.reason == "its status could not be read: answered 502"
