from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import (
    STAGES,
    Measures,
    failed_children,
    is_zip,
    measure,
    submission_lag_s,
    timing,
)
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    Ticket,
    Upload,
)

DONE = {
    "status": "done",
    "created_at": "2027-01-15T08:00:00.000Z",
    "updated_at": "2027-01-15T08:00:06.000000+00:00",
    "finished_at": "2027-01-15T08:00:05.000000+00:00",
}


def record(
    fields: Mapping[str, str], outcome: Outcome | None = Outcome.DONE, file: str = "a.png"
) -> Record:
    ticket = Ticket(1, 1, 0, 100.0, file)
    made = Record(ticket, "User", JobRequest("segmentation", file, f"uploads/{file}"), 99.0)
    made.snapshot = Snapshot(fields)
    made.outcome = outcome
    made.submitted_at = 100.0
    made.observed_at = 110.0
    return made


def without(*names: str) -> dict[str, str]:
    return {name: text for name, text in DONE.items() if name not in names}


@pytest.mark.parametrize(
    ("name", "job_id", "zipped"),
    [
        ("a.zip", "", True),
        ("A.ZIP", "", True),
        ("a.png", "", False),
        ("zip", "", False),
        ("a.dat", "segmentation-zip:a.dat:1", True),
        ("a.zip", "segmentation:a.zip:1", False),
        ("a.zip", "an id without a queue", True),
    ],
)
def test_the_queue_in_the_job_id_tells_a_zip_and_else_the_name_does(
    name: str, job_id: str, zipped: bool
) -> None:
    assert is_zip(name, job_id) is zipped


def test_a_duration_is_the_servers_from_created_to_finished() -> None:
    found = measure(record(DONE))
    assert (found.duration_s, found.duration_from) == (5.0, "finished_at")


def test_the_last_update_stands_in_where_finished_at_is_absent() -> None:
    found = measure(record(without("finished_at"), Outcome.FAILED))
    assert (found.duration_s, found.duration_from) == (6.0, "updated_at")


def test_the_polls_stand_in_where_the_server_gave_no_creation() -> None:
    found = measure(record(without("created_at")))
    assert (found.duration_s, found.duration_from) == (5.0, "observed")  # from 0 to 10


def test_an_end_before_the_creation_is_not_believed() -> None:
    early = {**DONE, "finished_at": "2027-01-15T07:59:59.000000+00:00"}
    found = measure(record(early))
    assert (found.duration_s, found.duration_from) == (6.0, "updated_at")


@pytest.mark.parametrize(
    "outcome", [Outcome.TIMEOUT, Outcome.UNFINISHED, Outcome.ERROR, Outcome.VANISHED]
)
def test_a_job_that_the_kiosk_did_not_end_has_no_duration_and_no_images(outcome: Outcome) -> None:
    assert measure(record(DONE, outcome)) == Measures()


def test_a_job_that_is_not_final_has_no_duration() -> None:
    assert measure(record({**DONE, "status": "started"}, None)).duration_s is None


def test_the_queue_wait_is_what_total_time_leaves_of_the_duration() -> None:
    assert measure(record({**DONE, "total_time": "3.5"})).queue_wait_s == 1.5


def test_a_total_time_just_over_the_duration_is_no_wait() -> None:
    assert measure(record({**DONE, "total_time": "5.01"})).queue_wait_s == 0.0


def test_a_duration_that_only_the_polls_saw_gives_no_queue_wait() -> None:
    found = measure(record({**without("created_at"), "total_time": "3.5"}))
    assert found.queue_wait_s is None


def test_a_zip_has_no_queue_wait() -> None:
    assert measure(record({**DONE, "total_time": "3.5"}, file="a.zip")).queue_wait_s is None


def test_an_image_job_is_one_image() -> None:
    found = [measure(record(DONE, outcome)) for outcome in (Outcome.DONE, Outcome.FAILED)]
    assert [(each.images_done, each.images_failed) for each in found] == [(1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("fields", "outcome", "images"),
    [
        ({"children:done": "a,b", "children:failed": "c"}, Outcome.PARTIAL, (2, 1)),
        ({"children:done": "a,b", "failures": "c=x&d=y"}, Outcome.PARTIAL, (2, 2)),
        ({"children:failed": "a,b,c"}, Outcome.PARTIAL, (0, 3)),
        ({"total_time": "1,2,3"}, Outcome.DONE, (3, 0)),
        ({"children": "a,b,c", "total_time": "1,2,3", "failures": "c=x"}, Outcome.PARTIAL, (2, 1)),
        ({"children": "a,b,c", "children:done": "a"}, Outcome.FAILED, (1, 2)),
        ({"total_jobs": "3"}, Outcome.DONE, (3, 0)),
        ({"total_jobs": "3", "failures": "c=x"}, Outcome.PARTIAL, (2, 1)),
        ({"children": "", "total_jobs": "1"}, Outcome.DONE, (0, 0)),
        ({"children": "a,b", "children:done": "", "total_jobs": "2"}, Outcome.DONE, (0, 0)),
        ({}, Outcome.FAILED, (0, 1)),
        ({}, Outcome.DONE, (0, 0)),
    ],
)
def test_a_zip_counts_for_its_files(
    fields: dict[str, str], outcome: Outcome, images: tuple[int, int]
) -> None:
    found = measure(record({**DONE, **fields}, outcome, "a.zip"))
    assert (found.images_done, found.images_failed) == images


def test_failed_children_are_counted_once_though_two_fields_name_them() -> None:
    assert failed_children(Snapshot({"children:failed": "a,b", "failures": "a=x&b=y"})) == 2


def test_timings_that_are_no_numbers_are_left_out() -> None:
    assert timing(Snapshot({"t": "1.5,None,nan,-2,inf,,2"}), "t") == (1.5, 2.0)


@given(st.text())
def test_any_text_in_a_timing_gives_finite_seconds_of_at_least_0(text: str) -> None:
    assert all(0 <= number < float("inf") for number in timing(Snapshot({"t": text}), "t"))


def test_the_stages_of_a_zip_have_a_value_a_child_and_those_of_an_image_one() -> None:
    fields = {**DONE, "download_time": "0.1,0.2,0.3"}
    zipped, image = record(fields, file="a.zip"), record(fields)
    assert measure(zipped).stages["download"] == (0.1, 0.2, 0.3)
    assert measure(image).stages["download"] == (0.1,)


def test_a_job_that_did_not_end_has_no_stage_times() -> None:
    lost = record({**DONE, "download_time": "0.1"}, Outcome.TIMEOUT)
    assert measure(lost).stages == dict.fromkeys(STAGES, ())


def test_a_submission_is_late_by_its_first_try_in_the_session_that_took_the_ticket() -> None:
    late = record(DONE)
    earlier = Attempt(1, 50.0, None, None, AttemptResult.NOT_SENT)
    refused = Attempt(2, 100.5, 100.5, 100.6, AttemptResult.REFUSED, 429)
    late.attempts = [earlier, refused, Attempt(3, 103.0, 103.0, 103.1, AttemptResult.ACCEPTED)]
    assert submission_lag_s(late) == pytest.approx(0.5)
    late.upload = Upload(100.2, 100.4, 1, "a.png")
    assert submission_lag_s(late) == pytest.approx(0.2)
    late.attempts = [earlier]
    assert submission_lag_s(late) is None
