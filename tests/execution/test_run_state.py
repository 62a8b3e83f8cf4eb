"""A run's state: why it ends, and who waits for that."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.errors import LedgerError
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.model.record import Outcome


@pytest.fixture
def state() -> RunState:
    return RunState()


def test_the_first_of_several_errors_is_why_a_run_cannot_go_on(state: RunState) -> None:
    state.fail(LedgerError("the disk is full"))
    state.fail(RuntimeError("and so on"))
    assert state.trouble == "the disk is full"


@pytest.mark.parametrize(
    "end",
    [
        RunState.end,
        RunState.all_are_closed,
        lambda state: state.fail(RuntimeError("lost count")),
    ],
)
def test_who_waits_for_the_end_of_a_run_waits_until_there_is_a_reason_to_drain_it(
    state: RunState, end: Callable[[RunState], None]
) -> None:
    waiter = gevent.spawn(state.wait)
    gevent.sleep(0)
    assert not waiter.dead
    end(state)
    waiter.join(5)
    assert waiter.dead


def test_a_run_is_stopping_before_its_rest_is_closed_and_closed_afterwards(
    state: RunState,
) -> None:
    seen: list[tuple[str, bool, bool]] = []

    def close_all() -> None:
        seen.append((state.ended_by, state.stopping.is_set(), state.all_closed.is_set()))

    state.drain("Stop", close_all)
    assert seen == [("Stop", True, False)]
    assert state.all_closed.is_set()
    assert not state.is_on


def test_who_drains_a_run_a_second_time_waits_until_the_first_is_done(state: RunState) -> None:
    goes_on, calls = Event(), []

    def close_all() -> None:
        calls.append("close")
        goes_on.wait()

    first = gevent.spawn(state.drain, "Stop", close_all)
    gevent.sleep(0)
    second = gevent.spawn(state.drain, "SIGINT", close_all)
    gevent.sleep(0)
    assert not second.dead
    goes_on.set()
    gevent.joinall([first, second], timeout=5)
    assert second.dead
    state.drain("SIGTERM", close_all)
    assert calls == ["close"]
    assert state.ended_by == "Stop"


def test_a_fault_while_the_rest_is_closed_lets_nobody_wait_for_ever(state: RunState) -> None:
    def close_all() -> None:
        raise RuntimeError("lost count")

    with pytest.raises(RuntimeError, match="lost count"):
        state.drain("Stop", close_all)
    assert state.all_closed.is_set()


@pytest.mark.parametrize(
    ("outcomes", "is_finished"),
    [
        ([Outcome.DONE, Outcome.FAILED], True),
        ([Outcome.DONE, Outcome.UNFINISHED], False),
        ([Outcome.DONE, None], False),
    ],
)
def test_a_run_is_finished_if_the_kiosk_ended_every_job(
    state: RunState, outcomes: list[Outcome | None], is_finished: bool
) -> None:
    for outcome in outcomes:
        state.count(outcome)
    assert not state.finished
    state.all_are_closed()
    assert state.finished is is_finished


def test_a_ticket_that_was_never_leased_is_unfinished(state: RunState) -> None:
    state.count_never_leased()
    assert (state.never_leased, state.outcomes[Outcome.UNFINISHED]) == (1, 1)
