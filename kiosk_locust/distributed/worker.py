"""A worker's end: what it may submit, what it has to tell, and when it reports."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.distributed.clock_skew import Skew, measure
from kiosk_locust.distributed.coordinator import shifted
from kiosk_locust.distributed.granted_tickets import Stock
from kiosk_locust.distributed.messages import (
    NOTHING,
    Drain,
    Fenced,
    Grant,
    Renewed,
    Reply,
    Report,
    Welcome,
)
from kiosk_locust.distributed.reliable_delivery import Sender
from kiosk_locust.measurement.process_figures import ProcessFigures
from kiosk_locust.model.record import Record
from kiosk_locust.model.ticket_events import Entry, Returned, Submitted

#: What others wait for: a job id must not be lost with its worker, a ticket may be late.
URGENT = (Submitted, Returned)
#: Reports follow each other not faster than this, but for urgent events; what the master need not
#: know at once waits for half of the time that lies between two lots of tickets.
GAP_S = 0.02
#: How often a report tells what the worker saw of itself.
FIGURES_S = 2.0
#: Reports whose answers are timed; a master that is gone for hours answers no more of them.
MOST_UNANSWERED = 1000


class WorkerEnd:
    """One run's, from the first welcome on. Times are those of the worker's own clock.

    ``on_adopt`` is called with each job to adopt, ``on_drain`` when the run
    ends and when its grace changes, ``on_fenced`` when the
    tickets of the session that is over are no longer this worker's: what it holds of them is to be
    dropped without a word.
    """

    def __init__(
        self,
        welcome: Welcome,
        arrived_at: float,
        *,
        on_adopt: Callable[[Record], None],
        on_drain: Callable[[Drain], None],
        on_fenced: Callable[[], None],
    ) -> None:
        self.run_id = welcome.run_id
        self.skew: Skew = measure(welcome, arrived_at)
        self.session = welcome.session  # 0 while it is fenced
        self.terms = welcome.terms
        self.stock = Stock()
        self.sender = Sender(linger_s=self.terms.linger_s, resend_s=self.terms.resend_s)
        self.finished = False  # set by the owner: nothing is held, nothing will be
        self.draining = False
        self.is_dismissed = False  # the master knows that nothing is held: the worker may go
        self.trouble = ""  # set by the owner: why the run cannot go on
        self.reused: set[tuple[int, str]] = set()  # uploads (ticket, name) that do not count
        self.account = ""  # set by the owner before the first report; see Report
        # Set by the owner: what the process saw of itself, which of its calls fail, and who is
        # told of a reply's delay.
        self.figures: Callable[[], ProcessFigures] | None = None
        self.troubles: Callable[[], tuple[Trouble, ...]] = tuple
        self.on_reply: Callable[[float, float], None] | None = None
        self._unanswered: deque[float] = deque()
        self._figures_at = -math.inf
        self._drain: Drain | None = None
        self._zero_at = welcome.zero_at
        self._last_session = welcome.session
        self._valid_until = -math.inf
        self._reported_at = -math.inf
        self._reported = (0, 0, False, "")
        self._room = 0  # the tickets that the master may still grant, for all it knows
        self._on_adopt = on_adopt
        self._on_drain = on_drain
        self._on_fenced = on_fenced

    # -- leases

    def may_submit(self, session: int, now: float) -> bool:
        """True if a ticket of that session may be submitted at this moment."""
        return session == self.session and now < self._valid_until

    @property
    def is_drained(self) -> bool:
        """True if nothing is held, and all that was said was acknowledged."""
        return self.finished and self.sender.is_empty and not self.stock

    # -- messages

    def say(self, entry: Entry, now: float) -> int:
        """Tell the master; see Sender.say."""
        return self.sender.say(entry, now, urgent=isinstance(entry.event, URGENT))

    def welcome(self, welcome: Welcome) -> None:
        """Take part again after having been fenced; other welcomes are left alone."""
        if welcome.run_id != self.run_id or welcome.session <= self._last_session:
            return
        if self.session:
            self._fence()
        self.session = self._last_session = welcome.session
        self._valid_until = -math.inf
        self._reported_at = -math.inf
        self.stock = Stock()

    def receive(self, reply: Reply, now: float) -> None:
        """Take in a reply; tickets that come when no more are wanted go back."""
        if reply.run_id != self.run_id:
            return
        self._time_reply(reply.echo, now)
        self.reused.update((upload.ticket_id, upload.name) for upload in reply.reused)
        self.sender.acknowledge(reply.acked)
        if reply.session != self.session:
            return
        match reply.lease:
            case Fenced():
                self._end_session()
            case Renewed(grant, drain, drained):
                self.is_dismissed |= self.is_drained and drained
                self._valid_until = max(self._valid_until, reply.echo + self.terms.lease_s)
                if grant:
                    self._take_in(grant, now)
                if drain and drain != self._drain:
                    self.draining = True
                    self._drain = drain
                    self._on_drain(drain)

    def report(self, now: float, free_users: int) -> Report | None:
        """The report that is to be sent now, if any."""
        if not self.session:
            return None
        ending = self.draining or self.finished
        wanted = NOTHING if ending else self.stock.wanted(free_users)
        if not self._is_due(now, wanted):
            return None
        self._reported_at = now
        if len(self._unanswered) < MOST_UNANSWERED:
            self._unanswered.append(now)
        self._reported = (self.stock.ask, wanted, self.is_drained, self.trouble)
        self._room = wanted
        return Report(
            self.run_id,
            self.session,
            now,
            self.stock.ask,
            wanted,
            self.sender.outgoing(now),
            self.is_drained,
            self.skew.seconds,
            self.skew.bound_s,
            self.trouble,
            self._figures_now(now),
            self.account,
            self.troubles(),
        )

    def _figures_now(self, now: float) -> ProcessFigures | None:
        """Each few seconds, and with the last words."""
        if self.figures is None:
            return None
        if not self.is_drained and now - self._figures_at < FIGURES_S:
            return None
        self._figures_at = now
        return self.figures()

    def _time_reply(self, echo: float, now: float) -> None:
        """The delay counts from the oldest report that had no answer yet."""
        oldest = None
        while self._unanswered and self._unanswered[0] <= echo:
            sent_at = self._unanswered.popleft()
            oldest = sent_at if oldest is None else oldest
        if oldest is not None and self.on_reply:
            self.on_reply(now - oldest, self.terms.beat_s)

    def _is_due(self, now: float, wanted: int) -> bool:
        since_s = now - self._reported_at
        if since_s >= self.terms.beat_s or self.sender.is_due(now):
            return True
        state = (self.stock.ask, wanted, self.is_drained, self.trouble)
        if state == self._reported:
            return False
        is_urgent = state[2:] != self._reported[2:] or (wanted > 0 and self._room <= 0)
        return since_s >= (GAP_S if is_urgent else max(GAP_S, self.terms.lot_s / 2))

    def _take_in(self, grant: Grant, now: float) -> None:
        if grant.number != self.stock.ask:
            return
        here = tuple(shifted(record, self._zero_at) for record in grant.records)
        self._room -= len(here)
        jobs = self.stock.receive(Grant(grant.number, here))
        if not (self.draining or self.finished):
            for record in jobs:
                self._on_adopt(record)
            return
        for record in (*jobs, *self.stock.empty()):
            self.say(Entry(self.session, record.ticket.id, Returned()), now)

    def _end_session(self) -> None:
        """It is over; a worker that holds nothing is dismissed with it."""
        self.is_dismissed |= self.is_drained
        if self.is_dismissed:
            self.session = 0
        else:
            self._fence()

    def _fence(self) -> None:
        self.session = 0
        self.stock = Stock()
        self._on_fenced()
