from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.clock_offsets import Clocks
from kiosk_locust.measurement.clocks import FRONTEND, Bound
from kiosk_locust.measurement.job_timings import work_out
from kiosk_locust.measurement.stages import own_parts, part_times
from kiosk_locust.measurement.timing_rows import ClosedJob, JobTiming
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.job_moments import WorkTimes
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, StatusChange
from kiosk_locust.model.time_bounds import End, Moment
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


@dataclass(frozen=True)
class Offsets(Clocks):
    """The clocks of a run, with the offsets that a test gives them."""

    of_frontend: Bound | None = None
    of_consumer: Bound | None = None

    def bound(self, clock: str, moment: float) -> Bound | None:
        return self.of_frontend if clock == FRONTEND else self.of_consumer


def timing(made: Record, frontend: Bound | None = None, consumer: Bound | None = None) -> JobTiming:
    """The times of a record as its rows in the ledger have it."""
    measures, sent = measure(made), made.attempts[-1]
    job = ClosedJob(
        id=1,
        cycle=1,
        at=made.ticket.due_at,
        due_at=made.ticket.due_at,
        taken_at=made.taken_at,
        submitted_at=made.submitted_at,
        outcome=made.outcome and made.outcome.value,
        observed_after=made.observed_after,
        observed_at=made.observed_at,
        closed_at=SEEN,
        duration_s=measures.duration_s,
        duration_from=measures.duration_from,
        fields=json.dumps(made.snapshot.fields) if made.snapshot else None,
        job_id=made.job_id,
        file=made.request.image_name,
        ambiguous=int(made.ambiguous),
        images_done=measures.images_done,
        asked_at=sent.asked_at,
        sent_at=sent.sent_at,
        received_at=sent.received_at,
        begun_at=made.attempts[0].asked_at,
        work_seen_at=made.changes[0].observed_at if made.changes else None,
        work_by=made.changes[-1].updated_by if made.changes else None,
        is_suspect=0,
    )
    return work_out(job, Offsets({}, {}, frontend, consumer), None, lambda _: made.changes)


def known(found: JobTiming) -> tuple[float | None, ...]:
    """The parts of an image that are on the way, in order."""
    parts = found.parts
    return (
        parts["lag_s"],
        parts["socket_wait_s"],
        parts["creation_s"],
        parts["queue_wait_s"],
        found.interruption["interrupted_s"] or 0.0,
        parts["processing_s"],
    )


def test_the_parts_of_an_image_come_to_the_whole() -> None:
    found = timing(job())
    assert found.end["since_due_s"] == pytest.approx(5.85)  # due to its end; the poll 2 s later
    assert known(found) == pytest.approx((0.5, 0.25, 0.1, 1.5, 0.0, 3.5), abs=1e-5)
    assert found.parts["detection_s"] == pytest.approx(2.0, abs=1e-5)
    assert found.parts["unknown_s"] == pytest.approx(0.0, abs=1e-5)
    assert found.parts["adds_up"] is True
    assert found.parts["submission_http_s"] == pytest.approx(0.2)


def test_a_zip_has_no_stages_of_its_own_and_says_how_much_is_unknown() -> None:
    parts = timing(job(file="a.zip", total_time="3.5,3.0")).parts
    assert (parts["queue_wait_s"], parts["processing_s"], parts["adds_up"]) == (None, None, None)
    assert parts["unknown_s"] == pytest.approx(5.0, abs=1e-5)
    assert parts["unknown_share"] == pytest.approx(5 / 5.85, abs=1e-5)
    assert parts["detection_s"] == pytest.approx(2.0, abs=1e-5)


def test_what_is_not_known_is_none_and_never_zero() -> None:
    parts = timing(job(without="total_time")).parts
    assert (parts["queue_wait_s"], parts["processing_s"]) == (None, None)
    assert parts["unknown_s"] == pytest.approx(5.0, abs=1e-5)
    bare = timing(job(without="created_at")).parts
    assert (bare["creation_s"], bare["queue_wait_s"]) == (None, None)
    endless = timing(job(without="finished_at"))
    assert endless.parts["detection_s"] is None
    assert endless.end["since_due_s"] == pytest.approx(5.35)  # the middle between the last polls


def test_clocks_that_are_off_are_brought_to_ours_by_their_offsets() -> None:
    ahead = Bound(29.9, 30.1)
    found = timing(job(frontend_s=30.0, consumer_s=30.0), ahead, ahead)
    assert known(found) == pytest.approx((0.5, 0.25, 0.1, 1.5, 0.0, 3.5), abs=1e-4)
    assert found.parts["detection_s"] == pytest.approx(2.0, abs=1e-4)
    assert found.parts["adds_up"]


def test_a_clock_that_is_off_by_an_unknown_time_leaves_its_parts_unknown() -> None:
    made = job(frontend_s=30.0, consumer_s=30.0)
    made.ambiguous = True  # so that its own submission does not tell the offset
    parts = timing(made).parts
    assert (parts["creation_s"], parts["detection_s"]) == (None, None)
    assert parts["queue_wait_s"] == pytest.approx(1.5, abs=1e-5)  # both stamps are off alike


def test_stages_that_mix_clocks_that_differ_do_not_add_up_and_say_so() -> None:
    parts = timing(job(consumer_s=1.0)).parts  # a second ahead, still within the poll's bracket
    assert parts["queue_wait_s"] == pytest.approx(2.5, abs=1e-5)
    assert parts["detection_s"] == pytest.approx(1.0, abs=1e-5)
    assert parts["adds_up"] is True  # what one gains the other loses
    mixed = part_times(
        start_at=DUE,
        asked_at=ASKED,
        sent_at=SENT,
        received_at=ANSWERED,
        created_at=CREATED,
        work=WorkTimes(parts["queue_wait_s"], 0.0, 3.5),
        ended=End(Moment(ENDED, ENDED, ENDED), "finished_at"),
        observed_at=SEEN,
    )
    assert mixed["adds_up"] is False
    assert mixed["unknown_s"] == pytest.approx(-1.0, abs=1e-4)


def test_with_the_corrected_duration_they_add_up_again() -> None:
    parts = timing(job(consumer_s=1.0), Bound(0.0, 0.0), Bound(0.9, 1.1)).parts
    assert parts["queue_wait_s"] == pytest.approx(1.5, abs=1e-5)
    assert parts["adds_up"] is True


def test_refused_attempts_and_the_wait_for_a_user_are_lag() -> None:
    made = job()
    refused = Attempt(1, 1000.1, 1000.1, 1000.2, AttemptResult.REFUSED, 429)
    made.attempts = [refused, replace(made.attempts[0], number=2)]
    assert timing(made).parts["lag_s"] == pytest.approx(0.5)


def test_a_job_without_a_due_time_counts_from_when_it_was_taken() -> None:
    made = job()
    made.ticket = replace(made.ticket, due_at=None)
    made.taken_at = 1000.4
    found = timing(made)
    assert found.end["since_due_s"] == pytest.approx(5.45)
    assert found.parts["lag_s"] == pytest.approx(0.1)


def test_a_job_that_was_not_seen_to_end_has_no_parts() -> None:
    made = job()
    made.observed_at, made.outcome = None, Outcome.TIMEOUT
    made.snapshot = Snapshot({})
    assert own_parts(made, measure(made).end) is None
    parts = timing(made).parts
    assert [name for name, value in parts.items() if value is not None] == [
        "socket_wait_s",
        "submission_http_s",
    ]


def test_the_parts_of_our_own_need_no_clock_but_ours() -> None:
    made = job(frontend_s=30.0)
    parts = own_parts(made, measure(made).end)
    assert parts is not None
    assert (parts["lag_s"], parts["socket_wait_s"]) == pytest.approx((0.5, 0.25))
    assert (parts["creation_s"], parts["queue_wait_s"]) == (None, None)


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
    found = timing(made, Bound(frontend_s, frontend_s), Bound(consumer_s, consumer_s))
    whole_s = sum(part for part in known(found) if part is not None)
    assert whole_s + (found.parts["unknown_s"] or 0.0) == pytest.approx(
        found.end["since_due_s"], abs=2e-6
    )


@given(
    created_s=st.floats(0.0, 0.2),
    wait_s=st.floats(0, 3000),
    work_s=st.floats(0.001, 3000),
    seen_s=st.floats(0.0, 10),
    end=st.sampled_from(["finished_at", "updated_at"]),
    total_time=st.booleans(),
    file=st.sampled_from(["a.png", "a.zip"]),
    due_at=st.sampled_from([DUE, None]),
)
def test_what_is_measured_while_a_run_goes_on_is_what_its_ledger_says_at_the_end(
    created_s: float,
    wait_s: float,
    work_s: float,
    seen_s: float,
    end: str,
    total_time: bool,
    file: str,
    due_at: float | None,
) -> None:
    made = job(file=file, total_time=str(work_s) if total_time else "no number")
    created_at = SENT + created_s
    ended_at = created_at + wait_s + work_s
    fields = {**(made.snapshot.fields if made.snapshot else {}), "created_at": stamp(created_at)}
    del fields["finished_at"]
    made.snapshot = Snapshot({**fields, end: stamp(ended_at)})
    made.ticket = replace(made.ticket, due_at=due_at)
    made.taken_at = DUE - 3
    made.observed_after, made.observed_at = max(SENT, ended_at - 1), ended_at + seen_s + 1e-5
    live, stored = measure(made), timing(made)
    own = own_parts(made, live.end)
    assert (
        stored.duration["duration_s"] == live.duration_s == pytest.approx(wait_s + work_s, abs=1e-5)
    )
    assert stored.duration["duration_from"] == live.duration_from == end
    expected_at = DUE - 3 if due_at is None else due_at
    assert (
        stored.end["since_due_s"]
        == live.since_due_s
        == pytest.approx(ended_at - expected_at, abs=1e-5)
    )
    is_known = total_time and file == "a.png"
    assert stored.parts["queue_wait_s"] == live.queue_wait_s
    assert live.queue_wait_s == (pytest.approx(wait_s, abs=1e-5) if is_known else None)
    assert own is not None
    for name in ("lag_s", "socket_wait_s", "submission_http_s", "detection_s"):
        assert stored.parts[name] == own[name]


@given(
    wait_s=st.floats(0, 3000),
    lost_s=st.floats(1.0, 3000),
    work_s=st.floats(0.001, 3000),
    seen_s=st.floats(0.01, 0.5),
    finisher=st.sampled_from(["pod-1", "pod-2"]),
    total_time=st.booleans(),
)
def test_work_that_was_lost_is_no_queue_wait_while_a_run_goes_on_nor_in_its_ledger(
    wait_s: float,
    lost_s: float,
    work_s: float,
    seen_s: float,
    finisher: str,
    total_time: bool,
) -> None:
    made = job(total_time=str(work_s) if total_time else "no number")
    began_at = CREATED + wait_s
    ended_at = began_at + lost_s + work_s
    fields = {"finished_at": stamp(ended_at), "identity_started": finisher}
    made.snapshot = Snapshot({**(made.snapshot.fields if made.snapshot else {}), **fields})
    polled_at = began_at + seen_s  # the poll before it came before the first consumer began
    made.changes = [StatusChange("started", polled_at, began_at - 0.01, began_at, "pod-1")]
    made.observed_after, made.observed_at = max(SENT, ended_at - 0.2), ended_at + 0.3
    live, stored = measure(made).queue_wait_s, timing(made).parts["queue_wait_s"]
    assert live == (stored if total_time else None)  # nothing bounds the skew of two clocks yet
    if finisher == "pod-2" or (total_time and lost_s > 2.0):  # else no poll can tell
        assert stored == pytest.approx(wait_s, abs=0.011)
