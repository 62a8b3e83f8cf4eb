"""Of all that may end a run, one reason counts, and it says how long jobs in flight have."""

from __future__ import annotations

import signal
from itertools import pairwise

import gevent
import pytest

from kiosk_locust.assembly import stop_reason
from kiosk_locust.assembly.stop_reason import StopReason, StopRequests
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import Miss
from tests.helpers.scenarios import make_options

OPTIONS = make_options(stop_timeout_s=30.0, run_time_s=60.0)
MISS = Miss(parse("job.p50 < 1s"), "2 s")


@pytest.mark.parametrize(
    ("number", "given_s", "grace_s"),
    [(signal.SIGTERM, 30.0, 10.0), (signal.SIGTERM, 2.0, 2.0), (signal.SIGINT, 30.0, 30.0)],
)
def test_jobs_in_flight_are_given_10_s_after_sigterm_at_most(
    number: signal.Signals, given_s: float, grace_s: float
) -> None:
    reason = stop_reason.of_signal(number, make_options(stop_timeout_s=given_s))
    assert reason.grace_s == grace_s
    assert number.name in reason.name


@pytest.mark.parametrize(
    ("count", "elapsed_s", "name", "grace_s"),
    [(5, 59.6, "-t", 30.0), (0, 60.0, "-t", 400.0), (5, 59.4, "Stop", 30.0)],
)
def test_the_run_time_is_told_from_stop_and_lets_an_open_ended_run_drain(
    count: int, elapsed_s: float, name: str, grace_s: float
) -> None:
    options = make_options(count=count, stop_timeout_s=30.0, drain_timeout_s=400.0, run_time_s=60.0)
    reason = stop_reason.of_locust(options, elapsed_s)
    assert (reason.name, reason.grace_s) == (name, grace_s)


class Ended:
    """A run's state, and all that may end it, the strongest first."""

    def __init__(self) -> None:
        self.state = RunState()
        self.stops = StopRequests(self.state, OPTIONS)
        reasons = [
            stop_reason.of_signal(signal.SIGTERM, OPTIONS),
            stop_reason.of_signal(signal.SIGINT, OPTIONS),
            None,  # a missed threshold
            stop_reason.of_caller("runner.quit()", OPTIONS),
            stop_reason.of_locust(OPTIONS, 60.0),
        ]
        self.ends = [
            lambda: self.state.fail(OSError("the disk is gone")),
            *(lambda reason=reason: self.end(reason) for reason in reasons),
            self.state.all_are_closed,
        ]

    def end(self, reason: StopReason | None) -> None:
        if reason is None:
            self.stops.miss(MISS)
        else:
            self.stops.add(reason)


NAMES = [
    *("a fault", "SIGTERM", "Ctrl-C (SIGINT)", "--abort-on-threshold", "runner.quit()", "-t"),
    "all tickets closed",
]


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_each_reason_is_told(place: int) -> None:
    ended = Ended()
    waiting = gevent.spawn(ended.stops.wait)
    gevent.sleep(0)
    assert not waiting.dead
    ended.ends[place]()
    assert waiting.get(timeout=5).name == NAMES[place]


@pytest.mark.parametrize(("stronger", "weaker"), list(pairwise(range(len(NAMES)))))
def test_of_reasons_that_come_at_once_the_stronger_one_counts_whichever_is_first(
    stronger: int, weaker: int
) -> None:
    for order in ((stronger, weaker), (weaker, stronger)):
        ended = Ended()
        for place in order:
            ended.ends[place]()
        assert ended.stops.wait().name == NAMES[stronger]


def test_only_its_own_end_a_fault_and_a_miss_make_locust_end() -> None:
    of_the_run = []
    for place, name in enumerate(NAMES):
        ended = Ended()
        ended.ends[place]()
        if ended.stops.wait().is_the_runs:
            of_the_run.append(name)
    assert of_the_run == ["a fault", "--abort-on-threshold", "all tickets closed"]
