"""Reasons why a run is to end, of which one counts, and how long jobs in flight may then take."""

from __future__ import annotations

import enum
import logging
import signal
from dataclasses import dataclass

from kiosk_locust.assembly.signals import NAMES
from kiosk_locust.execution.run_state import ALL_CLOSED, RunState
from kiosk_locust.model.options import Options
from kiosk_locust.verdict.exit_code import ABORTED
from kiosk_locust.verdict.thresholds import Miss

logger = logging.getLogger(__name__)

#: A cluster that sends SIGTERM kills soon after; by then everything is to be written.
SIGTERM_GRACE_S = 10.0
#: Locust's timer for -t and our clock may differ by so much.
RUN_TIME_SLACK_S = 0.5


class StopKind(enum.IntEnum):
    """Kinds of reasons; of several that come at once the first in this order counts."""

    FAULT = enum.auto()
    SIGTERM = enum.auto()
    SIGINT = enum.auto()
    ABORTED = enum.auto()  # a missed threshold
    CALLED = enum.auto()  # by users' code
    LOCUST = enum.auto()  # its -t, or Stop on its page
    ALL_CLOSED = enum.auto()


@dataclass(frozen=True, slots=True)
class StopReason:
    """The reason of a run's end, for people; jobs in flight may take ``grace_s`` more seconds."""

    kind: StopKind
    name: str
    grace_s: float = 0.0

    @property
    def is_the_runs(self) -> bool:
        """True if nobody outside of the run wanted its end."""
        return self.kind in (StopKind.FAULT, StopKind.ABORTED, StopKind.ALL_CLOSED)


def of_signal(number: int, options: Options) -> StopReason:
    """A signal to the process."""
    if number == signal.SIGTERM:
        grace_s = min(options.stop_timeout_s, SIGTERM_GRACE_S)
        return StopReason(StopKind.SIGTERM, NAMES[signal.SIGTERM], grace_s)
    return StopReason(StopKind.SIGINT, NAMES[signal.SIGINT], options.stop_timeout_s)


def of_caller(caller: str, options: Options) -> StopReason:
    """Users' code, such as a call of ``runner.quit()``."""
    return StopReason(StopKind.CALLED, caller, options.stop_timeout_s)


def of_locust(options: Options, elapsed_s: float) -> StopReason:
    """Locust itself, ``elapsed_s`` seconds after the run began."""
    limit_s = options.run_time_s
    if limit_s and elapsed_s >= limit_s - RUN_TIME_SLACK_S:
        grace_s = options.stop_timeout_s if options.count else options.drain_timeout_s
        return StopReason(StopKind.LOCUST, "-t", grace_s)
    return StopReason(StopKind.LOCUST, "Stop", options.stop_timeout_s)


class StopRequests:
    """Takes in all reasons why a run is to end; made before what may give one.

    ``missed`` is the threshold whose miss ended the run, or would have.
    """

    def __init__(self, state: RunState, options: Options) -> None:
        self.missed: Miss | None = None
        self._state = state
        self._options = options
        self._first: StopReason | None = None

    def add(self, reason: StopReason) -> None:
        """End the run for ``reason``, unless it ends already."""
        if self._first is None or reason.kind < self._first.kind:
            self._first = reason
        self._state.end()

    def miss(self, missed: Miss) -> None:
        """End the run for a threshold that is missed."""
        logger.error("%s ends the run: %s", ABORTED, missed)
        self.missed = missed
        self.add(StopReason(StopKind.ABORTED, ABORTED, self._options.stop_timeout_s))

    def wait(self) -> StopReason:
        """Return the reason of the run's end, once there is one."""
        self._state.wait()
        if self._state.trouble:
            return StopReason(StopKind.FAULT, "a fault")
        return self._first or StopReason(StopKind.ALL_CLOSED, ALL_CLOSED)
