from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.clocks import Bound
from kiosk_locust.measurement.stages import Parts, decompose
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record
from tests.helpers.records import record

# A job due at 1000: it asks for a socket after 0.5 s, gets it after 0.25 s, is created 0.1 s
# after it was sent, waits 1.5 s, is worked on for 3.5 s, and is seen 2 s after its end.
DUE, ASKED, SENT, CREATED, ANSWERED = 1000.0, 1000.5, 1000.75, 1000.85, 1000.95
ENDED, SEEN = 1005.85, 1007.85


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def job(
    *,
    file: str = "a.png",
    frontend_s: float = 0.0,
    consumer_s: float = 0.0,
    total_time: str = "3.5",
    without: str = "",
) -> Record:
    fields = {
        "status": "done",
        "created_at": stamp(CREATED + frontend_s),
        "finished_at": stamp(ENDED + consumer_s),
        "total_time": total_time,
    }
    fields.pop(without, None)
    made = record(fields=fields, file=file)
    made.ticket = replace(made.ticket, due_at=DUE)
    made.attempts = [Attempt(1, ASKED, SENT, ANSWERED, AttemptResult.ACCEPTED, 200)]
    made.submitted_at = SENT
    made.observed_after, made.observed_at = 1002.85, SEEN
    return made


def parts(made: Record, frontend: Bound | None = None, consumer: Bound | None = None) -> Parts:
    found = decompose(made, measure(made), frontend, consumer)
    assert found is not None
    return found


def test_the_parts_of_an_image_come_to_the_whole() -> None:
    found = parts(job())
    assert found.whole_s == pytest.approx(5.85)  # due to its end; the poll came 2 s later
    assert found.known == pytest.approx((0.5, 0.25, 0.1, 1.5, 0.0, 3.5), abs=1e-5)
    assert found.detection_s == pytest.approx(2.0, abs=1e-5)
    assert found.unknown_s == pytest.approx(0.0, abs=1e-5)
    assert found.adds_up is True
    assert found.submission_http_s == pytest.approx(0.2)


def test_a_zip_has_no_stages_of_its_own_and_says_how_much_is_unknown() -> None:
    found = parts(job(file="a.zip", total_time="3.5,3.0"))
    assert (found.queue_wait_s, found.processing_s, found.adds_up) == (None, None, None)
    assert found.unknown_s == pytest.approx(5.0, abs=1e-5)
    assert found.unknown_share == pytest.approx(5 / 5.85, abs=1e-5)
    assert found.detection_s == pytest.approx(2.0, abs=1e-5)


def test_what_is_not_known_is_none_and_never_zero() -> None:
    found = parts(job(without="total_time"))
    assert (found.queue_wait_s, found.processing_s) == (None, None)
    assert found.unknown_s == pytest.approx(5.0, abs=1e-5)
    bare = parts(job(without="created_at"))
    assert (bare.creation_s, bare.queue_wait_s) == (None, None)
    endless = parts(job(without="finished_at"))
    assert endless.detection_s is None
    assert endless.whole_s == pytest.approx(5.35)  # the middle between the last two polls


def test_clocks_that_are_off_are_brought_to_ours_by_their_offsets() -> None:
    ahead = Bound(29.9, 30.1)
    found = parts(job(frontend_s=30.0, consumer_s=30.0), ahead, ahead)
    assert found.known == pytest.approx((0.5, 0.25, 0.1, 1.5, 0.0, 3.5), abs=1e-4)
    assert found.detection_s == pytest.approx(2.0, abs=1e-4)
    assert found.adds_up


def test_a_clock_that_is_off_by_an_unknown_time_leaves_its_parts_unknown() -> None:
    found = parts(job(frontend_s=30.0, consumer_s=30.0))
    assert (found.creation_s, found.detection_s) == (None, None)
    assert found.queue_wait_s == pytest.approx(1.5, abs=1e-5)  # both stamps are off alike


def test_stages_that_mix_clocks_that_differ_do_not_add_up_and_say_so() -> None:
    found = parts(job(consumer_s=1.0))  # a second ahead, still within the poll's bracket
    assert found.queue_wait_s == pytest.approx(2.5, abs=1e-5)
    assert found.detection_s == pytest.approx(1.0, abs=1e-5)
    assert found.adds_up is True  # what one gains the other loses
    with_offset = parts(job(consumer_s=1.0), Bound(0.0, 0.0), Bound(0.9, 1.1))
    assert with_offset.adds_up is False
    assert with_offset.unknown_s == pytest.approx(-1.0, abs=1e-4)


def test_with_the_corrected_duration_they_add_up_again() -> None:
    made = job(consumer_s=1.0)
    found = decompose(made, measure(made), Bound(0.0, 0.0), Bound(0.9, 1.1), duration_s=5.0)
    assert found is not None
    assert found.queue_wait_s == pytest.approx(1.5, abs=1e-5)
    assert found.adds_up is True


def test_refused_attempts_and_the_wait_for_a_user_are_lag() -> None:
    made = job()
    refused = Attempt(1, 1000.1, 1000.1, 1000.2, AttemptResult.REFUSED, 429)
    made.attempts = [refused, replace(made.attempts[0], number=2)]
    assert parts(made).lag_s == pytest.approx(0.5)


def test_a_job_without_a_due_time_counts_from_when_it_was_taken() -> None:
    made = job()
    made.ticket = replace(made.ticket, due_at=None)
    made.taken_at = 1000.4
    found = parts(made)
    assert found.since == "taken"
    assert found.lag_s == pytest.approx(0.1)


def test_a_job_that_was_not_seen_to_end_has_no_parts() -> None:
    made = job()
    made.observed_at, made.outcome = None, Outcome.TIMEOUT
    made.snapshot = Snapshot({})
    assert decompose(made, measure(made)) is None


@given(
    st.floats(-40, 40),
    st.floats(-40, 40),
    st.sampled_from(["", "total_time", "created_at", "finished_at"]),
    st.sampled_from(["a.png", "a.zip"]),
)
def test_known_parts_and_the_unknown_always_come_to_the_whole(
    frontend_s: float, consumer_s: float, without: str, file: str
) -> None:
    made = job(file=file, frontend_s=frontend_s, consumer_s=consumer_s, without=without)
    found = parts(made, Bound(frontend_s, frontend_s), Bound(consumer_s, consumer_s))
    known = sum(part for part in found.known if part is not None)
    assert known + found.unknown_s == pytest.approx(found.whole_s, rel=1e-9)
