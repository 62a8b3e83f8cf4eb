"""State of a run that everything which serves it may read: outcomes, trouble, the end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from gevent.event import Event

from kiosk_locust.model.record import Outcome

logger = logging.getLogger(__name__)

ALL_CLOSED = "all tickets closed"


class RunState:
    """State of one run, or of a worker's part in one; made before everything that serves it.

    ``over`` is set once there is a reason to drain the run: every ticket is closed, or the run
    cannot go on, or somebody called `end`.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.never_leased = 0  # tickets that were closed as unfinished without a job
        self.cycle_begun: tuple[int, float] | None = None  # the last one; epoch seconds
        self.trouble = ""  # the first error after which the run cannot go on
        self.ended_by = ""
        self.over = Event()
        self.stopping = Event()  # no ticket is taken or submitted any more
        self.all_closed = Event()
        self.given_up = Event()  # nothing more is waited for

    @property
    def is_on(self) -> bool:
        """True while tickets are open, and nobody has ended the run."""
        return not (self.stopping.is_set() or self.all_closed.is_set())

    @property
    def finished(self) -> bool:
        """True if every ticket was closed by what the Kiosk did."""
        return self.all_closed.is_set() and all(o.is_the_kiosks for o in self.outcomes)

    # -- while it goes on

    def begin_cycle(self, cycle: int, started_at: float) -> None:
        """Note that a cycle begins at ``started_at`` (epoch seconds)."""
        self.cycle_begun = (cycle, started_at)

    def count(self, outcome: Outcome | None) -> None:
        """Count a ticket whose job has ended; None: a fault left it without an outcome."""
        self.outcomes[outcome or Outcome.ERROR] += 1

    def count_never_leased(self) -> None:
        """Count a ticket that is closed without a job."""
        self.never_leased += 1
        self.outcomes[Outcome.UNFINISHED] += 1

    # -- the end

    def fail(self, error: Exception) -> None:
        """End the run, which cannot go on; the first error is kept."""
        logger.error("the run cannot go on: %s", error)
        if not self.trouble:
            self.trouble = str(error)
            self.end()

    def end(self) -> None:
        """Have whoever waits for the end of the run drain it."""
        self.over.set()

    def wait(self) -> None:
        """Return once the run is to be drained."""
        self.over.wait()

    def give_up(self) -> None:
        """Wait no longer, neither for jobs in flight nor for downloads."""
        self.given_up.set()

    def all_are_closed(self) -> None:
        """End the run by itself: its last ticket is closed."""
        self.ended_by = ALL_CLOSED
        self.all_closed.set()
        self.end()

    def drain(self, ended_by: str, close_all: Callable[[], None]) -> None:
        """Stop the run, and have ``close_all`` close what is open.

        Idempotent: whoever calls it later waits until all is closed.
        """
        if self.all_closed.is_set():
            return
        if self.stopping.is_set():
            self.all_closed.wait()
            return
        self.ended_by = ended_by
        self.stopping.set()
        try:
            close_all()
        finally:
            self.all_closed.set()
