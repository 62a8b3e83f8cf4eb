"""When a kind of call counts as failing, silent or partly failing, on a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import requests

from kiosk_locust.client.call_failures import STALE_S, TOLD_S, CallFailures
from kiosk_locust.client.call_trouble import State, Trouble, TroubleKind
from kiosk_locust.errors import (
    Busy,
    InputError,
    KioskLocustError,
    NameTaken,
    NoAnswer,
    Refused,
    Withdrawn,
)
from tests.helpers.clocks import ManualClock

POLL, UPLOAD, SUBMISSION = TroubleKind.POLL, TroubleKind.UPLOAD, TroubleKind.SUBMISSION
BUSY = Busy("answered 503", status=503, retry_after_s=None)


@dataclass
class Open:
    """A request of the transport."""

    path: str
    still_since: float


class Process:
    """One process's calls."""

    def __init__(self) -> None:
        self.clock = ManualClock(0.0)
        self.open: list[Open] = []
        self.failures = CallFailures(self.clock)
        self.failures.watch(lambda: self.open, {"/poll": POLL, "/upload": UPLOAD})

    def fails(self, at: float, kind: TroubleKind = POLL, error: Exception = BUSY) -> None:
        self.clock.time = at
        self.failures.failed(kind, error, at)

    def succeeds(self, at: float, kind: TroubleKind = POLL, took_s: float = 0.1) -> None:
        self.clock.time = at
        self.failures.succeeded(kind, took_s)

    def look(self, at: float) -> tuple[Trouble, ...]:
        self.clock.time = at
        return self.failures.look()

    def states(self, at: float) -> list[tuple[TroubleKind, State, float, int]]:
        going_on = (one for one in self.look(at) if one.ended_at is None)
        return [(one.kind, one.state, one.since, one.tries) for one in going_on]


def test_ten_seconds_without_a_success_are_trouble_and_nine_are_none() -> None:
    process = Process()
    process.fails(100.0)
    process.fails(104.0)
    assert not process.look(109.9)
    assert process.states(110.0) == [(POLL, State.FAILING, 100.0, 2)]


def test_it_counts_whether_or_not_somebody_tries_in_between() -> None:
    """Tries lie up to 30 s apart, and people shall not wait so long."""
    process = Process()
    process.fails(100.0)
    assert process.states(112.0) == [(POLL, State.FAILING, 100.0, 1)]


def test_one_success_of_any_job_ends_it_and_one_of_another_kind_does_not() -> None:
    process = Process()
    process.fails(100.0)
    process.succeeds(109.0, SUBMISSION)
    assert process.states(110.0)
    process.fails(111.0)
    process.succeeds(142.0)
    assert not process.states(143.0)
    (ended,) = process.look(143.0)
    assert (ended.tries, ended.since, ended.ended_at) == (2, 100.0, 142.0)
    assert not process.look(142.1 + TOLD_S)


def test_a_success_in_between_begins_the_time_anew() -> None:
    process = Process()
    process.fails(100.0)
    process.succeeds(105.0)
    process.fails(106.0)
    assert not process.look(115.9)
    assert process.states(116.0) == [(POLL, State.FAILING, 106.0, 1)]


def test_a_call_that_timed_out_has_failed_since_the_last_success_of_its_time() -> None:
    process = Process()
    process.succeeds(120.0)
    process.clock.time = 130.0
    process.failures.failed(POLL, NoAnswer("none"), 100.0)
    assert process.states(130.0) == [(POLL, State.FAILING, 120.0, 1)]


def test_a_call_that_hangs_is_told_before_it_has_failed() -> None:
    process = Process()
    process.open = [Open("/poll", 100.0), Open("/poll", 105.0)]
    assert not process.look(109.9)
    (trouble,) = process.look(112.0)
    assert (trouble.state, trouble.since, trouble.waiting) == (State.SILENT, 100.0, 1)
    assert process.look(115.0)[0].waiting == 2
    assert not trouble.error


def test_answers_of_others_are_no_silence() -> None:
    process = Process()
    process.open = [Open("/poll", 100.0)]
    process.succeeds(109.0)
    assert not process.look(115.0)


def test_an_upload_that_moves_is_not_silent() -> None:
    process = Process()
    upload = Open("/upload", 100.0)
    process.open = [upload]
    for at in range(100, 200):
        upload.still_since = at - 3.0
        assert not process.look(float(at))
    assert process.states(207.0) == [(UPLOAD, State.SILENT, 196.0, 0)]


def test_a_kiosk_that_is_slow_is_told_once_and_not_at_each_call() -> None:
    """Each answer takes 15 s: only the first one, before anybody knows, is a silence."""
    process = Process()
    told = 0
    for begun_at in range(100, 220, 15):
        process.open = [Open("/upload", float(begun_at))]
        for at in range(begun_at, begun_at + 15):
            told += bool(process.states(float(at)))
        process.succeeds(begun_at + 15.0, UPLOAD, took_s=15.0)
    assert told == 5


def test_half_of_many_calls_failing_for_long_is_trouble_though_others_succeed() -> None:
    process = Process()
    for at in range(100, 130):
        process.fails(float(at))
        process.succeeds(at + 0.5)
        process.look(at + 0.5)
    (trouble,) = process.look(130.0)
    assert trouble.state is State.PARTLY
    assert trouble.tries == trouble.succeeded == 30
    for at in range(130, 230):
        process.succeeds(float(at))
    assert not process.states(230.0)


def test_one_in_ten_failing_is_none() -> None:
    process = Process()
    for at in range(100, 400):
        (process.fails if at % 10 == 0 else process.succeeds)(float(at))
        assert not process.look(float(at))


def test_a_short_outage_of_many_calls_is_none() -> None:
    process = Process()
    for tenth in range(600):
        at = 100 + tenth / 10
        (process.fails if 110 <= at < 117 else process.succeeds)(at)
        assert not process.look(at)


def test_the_failures_of_an_outage_do_not_count_after_it() -> None:
    process = Process()
    for at in range(100, 160):
        process.fails(float(at))
        process.look(float(at))
    for at in range(160, 230):
        process.succeeds(float(at))
        assert not process.states(float(at))


@pytest.mark.parametrize(
    "error", [Withdrawn("not wanted"), InputError("it has changed"), NameTaken("another is there")]
)
def test_what_is_no_fault_of_the_kiosk_does_not_count(error: KioskLocustError) -> None:
    process = Process()
    process.fails(100.0, UPLOAD, error)
    assert not process.look(120.0)


def test_one_job_that_is_refused_is_none_and_two_are() -> None:
    process = Process()
    no = Refused("answered 400", status=400)
    process.fails(100.0, SUBMISSION, no)
    assert not process.look(130.0)
    process.fails(131.0, SUBMISSION, no)
    assert process.states(132.0) == [(SUBMISSION, State.FAILING, 100.0, 2)]


def test_what_nobody_tries_any_more_is_not_told_for_ever_nor_called_mended() -> None:
    process = Process()
    process.fails(100.0, TroubleKind.EXPIRY)
    assert process.states(100.0 + STALE_S)
    assert not process.look(101.0 + STALE_S)


def test_checkpoints_are_sent_again_however_seldom_and_told_until_one_succeeds() -> None:
    process = Process()
    process.fails(100.0, TroubleKind.CHECKPOINT)
    assert process.states(101.0 + STALE_S)
    process.succeeds(3700.0, TroubleKind.CHECKPOINT)
    assert not process.states(3701.0)


def test_a_try_that_was_refused_is_a_sign_of_life_and_one_without_an_answer_is_none() -> None:
    process = Process()
    with process.failures.trying(TroubleKind.BUCKET) as pending:
        process.clock.time = 5.0
        pending.moved()
        process.clock.time = 10.0
        assert process.failures.unheard_s(TroubleKind.BUCKET) == 5.0
        assert process.failures.unheard_s(TroubleKind.CHECKPOINT) == 0.0
        pending.tried(requests.ConnectTimeout("no answer in time"))
        assert process.failures.unheard_s(TroubleKind.BUCKET) == 5.0
        pending.tried(requests.ConnectionError("refused"))
        assert process.failures.unheard_s(TroubleKind.BUCKET) == 0.0
        process.clock.time = 20.0
    assert process.failures.unheard_s(TroubleKind.BUCKET) == 0.0


def test_a_silence_that_nobody_waits_out_is_not_called_mended() -> None:
    process = Process()
    process.open = [Open("/poll", 100.0)]
    assert process.look(115.0)
    process.open = []
    assert not process.look(116.0)
