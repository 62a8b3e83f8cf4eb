"""The runs of an environment: each is seen to its end, however its start and end meet."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any, cast

import gevent
from gevent.event import Event

from kiosk_locust.assembly.controller import RunController
from kiosk_locust.assembly.signals import Signals
from kiosk_locust.assembly.stop_reason import StopKind, StopReason
from kiosk_locust.plugin.runs import Runs
from tests.helpers.scenarios import make_options


class FakeRun:
    """A run that ends as soon as somebody wants it to; ``steps`` has what was done to it."""

    def __init__(self) -> None:
        self.options = make_options()
        self.elapsed_s = 0.0
        self.is_closed = False
        self.steps: list[str] = []
        self._stopped = Event()

    @property
    def is_ending(self) -> bool:
        return bool(self._stopped.is_set())

    def stop(self, _reason: StopReason) -> None:
        self._stopped.set()

    def wait(self) -> StopReason:
        self._stopped.wait()
        return StopReason(StopKind.LOCUST, "Stop")

    def drain(self, _reason: StopReason) -> None:
        self.steps.append("drain")

    def give_up(self) -> None:
        self.steps.append("give up")

    def finalize(self) -> Any:
        self.steps.append("finalize")
        return SimpleNamespace(code=0)


def make_runs(signals: Signals) -> Runs:
    anything: Any = SimpleNamespace(
        caller="", set=lambda _code: None, of_run=lambda _run, _verdict: None, quit=lambda: None
    )
    environment: Any = "an environment that nobody waits for"
    return Runs(environment, anything, None, status=anything, words=anything, signals=signals)


def begin(runs: Runs, run: FakeRun) -> None:
    runs.begin(cast("RunController", run))


def test_of_two_runs_that_were_built_at_once_both_are_finalized() -> None:
    runs = make_runs(Signals(lambda: None, lambda: None))
    first, second = FakeRun(), FakeRun()
    runs.set_aside()
    runs.set_aside()
    begin(runs, first)
    begin(runs, second)
    quitting = gevent.spawn(runs.on_quitting)
    quitting.join(5)
    assert quitting.ready()
    assert ("finalize" in first.steps, "finalize" in second.steps) == (True, True)


def test_a_second_signal_that_came_while_a_run_was_built_has_it_wait_no_longer() -> None:
    signals = Signals(lambda: None, lambda: None)
    signals.first, signals.has_second = signal.SIGINT, True
    runs, run = make_runs(signals), FakeRun()
    begin(runs, run)
    gevent.sleep(0.01)
    assert run.steps[:2] == ["give up", "drain"]
