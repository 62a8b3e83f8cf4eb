"""The protocol at a worker: what it may submit, what it has to tell, and what the master orders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.distributed.clock_skew import Skew
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
from kiosk_locust.distributed.report_schedule import ReportSchedule, Standing
from kiosk_locust.distributed.worker_lease import WorkerLease
from kiosk_locust.measurement.process_figures import ProcessFigures
from kiosk_locust.model.record import Record
from kiosk_locust.model.ticket_events import Entry, Returned, Submitted

#: What others wait for: a job id must not be lost with its worker, a ticket may be late.
URGENT = (Submitted, Returned)
#: An order of the master: a record has a job to adopt; a drain ends the run, or changes the grace
#: of its end; once fenced, all that the worker holds is another's, and dropped without a word.
Order = Record | Drain | Fenced


@dataclass(frozen=True, slots=True)
class Reporters:
    """Sources of what a worker's reports say of its process.

    ``figures`` are what it saw of itself, ``troubles`` which of its calls fail, ``account`` is the
    token of its account of what it sends (see Report). ``on_reply`` is told the delay of a reply
    and how often reports are sent, in seconds.
    """

    figures: Callable[[], ProcessFigures | None] = lambda: None
    troubles: Callable[[], tuple[Trouble, ...]] = tuple
    on_reply: Callable[[float, float], None] = lambda _delay_s, _beat_s: None
    account: str = ""


class WorkerProtocol:
    """One run's, from the first welcome on. Times are those of the worker's own clock."""

    def __init__(
        self,
        welcome: Welcome,
        skew: Skew,
        reporters: Reporters | None = None,
        sender: Sender | None = None,
    ) -> None:
        self.run_id = welcome.run_id
        self.skew = skew
        self.terms = welcome.terms
        self.stock = Stock()
        self.sender = sender or Sender(welcome.terms)
        self.finished = False  # nothing is held, nothing will be
        self.is_dismissed = False  # the master knows that nothing is held: the worker may go
        self.trouble = ""  # why the run cannot go on
        self.reused: set[tuple[int, str]] = set()  # uploads (ticket, name) that do not count
        self._lease = WorkerLease(welcome.session, self.terms.lease_s)
        self._schedule = ReportSchedule(self.terms)
        self._reporters = reporters or Reporters()
        self._drain: Drain | None = None
        self._zero_at = welcome.zero_at

    # -- state

    @property
    def session(self) -> int:
        """The number of the session; 0 while it is fenced."""
        return self._lease.session

    @property
    def is_expected(self) -> bool:
        """True while the master counts on this worker."""
        return bool(self.session) and not self.is_dismissed

    @property
    def draining(self) -> bool:
        """True once the master ends the run."""
        return self._drain is not None

    @property
    def is_drained(self) -> bool:
        """True if nothing is held, and all that was said was acknowledged."""
        return self.finished and self.sender.is_empty and not self.stock

    def may_submit(self, session: int, now: float) -> bool:
        """True if a ticket of that session may be submitted at this moment."""
        return self._lease.may_submit(session, now)

    def finish(self) -> None:
        """Nothing is held any more, and tickets that still come go back."""
        self.finished = True

    def fail(self, trouble: str) -> None:
        """The run cannot go on here; the master hears of it with the next report."""
        self.trouble = trouble

    # -- messages

    def say(self, entry: Entry, now: float) -> int:
        """Tell the master; see Sender.say."""
        return self.sender.say(entry, now, urgent=isinstance(entry.event, URGENT))

    def welcome(self, welcome: Welcome) -> list[Order]:
        """Take part again after having been fenced; other welcomes are left alone."""
        was_on = bool(self.session)
        if welcome.run_id != self.run_id or not self._lease.begin(welcome.session):
            return []
        self.stock = Stock()
        self._schedule.hurry()
        return [Fenced()] if was_on else []

    def receive(self, reply: Reply, now: float) -> list[Order]:
        """Take in a reply; tickets that come when no more are wanted go back."""
        if reply.run_id != self.run_id:
            return []
        delay_s = self._schedule.answered(reply.echo, now)
        if delay_s is not None:
            self._reporters.on_reply(delay_s, self.terms.beat_s)
        self.reused.update((upload.ticket_id, upload.name) for upload in reply.reused)
        self.sender.acknowledge(reply.acked)
        if reply.session != self.session:
            return []
        match reply.lease:
            case Fenced():
                return self._end_session()
            case Renewed(grant, drain, drained):
                return self._renew(reply.echo, grant, drain, now, drained=drained)

    def report(self, now: float, free_users: int) -> Report | None:
        """The report that is to be sent now, if any."""
        if not self.session:
            return None
        ending = self.draining or self.finished
        wanted = NOTHING if ending else self.stock.wanted(free_users)
        standing = Standing(self.stock.ask, wanted, self.is_drained, self.trouble)
        if not (self._schedule.is_due(standing, now) or self.sender.is_due(now)):
            return None
        has_figures = self._schedule.are_figures_due(standing, now)
        self._schedule.reported(standing, now, figures=has_figures)
        return Report(
            self.run_id,
            self.session,
            now,
            standing.ask,
            standing.wanted,
            self.sender.outgoing(now),
            standing.is_drained,
            self.skew.seconds,
            self.skew.bound_s,
            standing.trouble,
            self._reporters.figures() if has_figures else None,
            self._reporters.account,
            self._reporters.troubles(),
        )

    def _renew(
        self, echo: float, grant: Grant | None, drain: Drain | None, now: float, *, drained: bool
    ) -> list[Order]:
        self.is_dismissed |= self.is_drained and drained
        self._lease.renew(echo)
        orders: list[Order] = [*self._take_in(grant, now)] if grant else []
        if drain and drain != self._drain:
            self._drain = drain
            orders.append(drain)
        return orders

    def _take_in(self, grant: Grant, now: float) -> list[Record]:
        """Take in tickets that were awaited; returns the jobs to adopt."""
        if grant.number != self.stock.ask:
            return []
        here = tuple(shifted(record, self._zero_at) for record in grant.records)
        self._schedule.granted(len(here))
        jobs = self.stock.receive(Grant(grant.number, here))
        if not (self.draining or self.finished):
            return jobs
        for record in (*jobs, *self.stock.empty()):
            self.say(Entry(self.session, record.ticket.id, Returned()), now)
        return []

    def _end_session(self) -> list[Order]:
        """It is over; a worker that holds nothing is dismissed with it."""
        self.is_dismissed |= self.is_drained
        self._lease.end()
        if self.is_dismissed:
            return []
        self.stock = Stock()
        return [Fenced()]
