"""A run whose jobs live at workers: the master has ledger, cycles and leases, and no users."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import gevent
from gevent.pool import Group

from kiosk_locust.clock import Clock
from kiosk_locust.codec import decode, decode_any_version, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.coordinator import MasterProtocol
from kiosk_locust.distributed.leases import Leases
from kiosk_locust.distributed.messages import Drain, Hello, Report, Terms
from kiosk_locust.distributed.reply_loop import TURN_S, ReplyLoop, Send
from kiosk_locust.distributed.reused_uploads import ReusedUploads
from kiosk_locust.distributed.roster import Roster
from kiosk_locust.distributed.ticket_log import TicketLog
from kiosk_locust.distributed.ticket_pool import Pool
from kiosk_locust.distributed.worker_accounts import WorkerAccounts
from kiosk_locust.errors import WorkerError
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.cycles import Cycles
from kiosk_locust.execution.run_state import ALL_CLOSED, RunState
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Ticket

logger = logging.getLogger(__name__)

#: Events wait for company less long here: they have waited at their worker.
LINGER_S = 0.015
#: After their grace, workers only close records and expire hashes.
DRAIN_SLACK_S = 15.0
#: So long workers may take to expire hashes once every ticket is closed, if nothing is downloaded.
EXPIRE_S = 60.0


class MasterRun:
    """A run at its master; `master_run` makes one."""

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        ledger: Ledger,
        remains: Remains,
        tickets: Tickets,
        cycles: Cycles,
        roster: Roster,
        log: TicketLog,
        end: MasterProtocol,
        replies: ReplyLoop,
        send: Send,
        clock: Clock,
    ) -> None:
        self.options = options
        self.state = state
        self.ledger = ledger
        self.tickets = tickets
        self.cycles = cycles
        self.roster = roster
        self._remains = remains
        self._log = log
        self._end = end
        self._replies = replies
        self._send = send
        self._clock = clock
        self._cycling = Group()

    def start(self, zero_at: float) -> None:
        """Let workers take part, and begin the first cycle at ``zero_at`` (epoch seconds).

        Workers may go on for a lease without their master: a resume must know it.
        """
        self.ledger.set_meta(sendable_s=repr(self._end.terms.sendable_s))
        self.roster.start(zero_at)
        self._end.begin(zero_at)
        self._replies.start()
        for record in self._remains.adopt():
            self._log.adopted(record)
            self._end.pool.put(record)
        self._cycling.spawn(self._run_cycles, zero_at)

    # -- messages

    def on_hello(self, worker: str, data: object) -> None:
        """Let a worker take part that asks to; raises RelayError for what is no hello."""
        received_at = self._clock.now()
        hello = decode_any_version(Hello, data)
        is_ours = versions.of_hello(hello) == versions.own()
        if is_ours:
            self.roster.greet(worker)
        if not self._end.has_begun:
            return
        if not is_ours:
            self._refuse(worker, hello)
        elif not self.state.all_closed.is_set():
            welcome = self._end.hello(worker, hello, received_at, self._clock.now())
            self._send("kiosk_welcome", encode(welcome), worker)

    def _refuse(self, worker: str, hello: Hello) -> None:
        """Let a worker of another version go; before the first ticket, that ends the run.

        Later the run goes on with those that it has: hours of it are worth more.
        """
        self._send("kiosk_refusal", encode(versions.refusal(hello.asked_at)), worker)
        self._send("quit", None, worker)  # older ones know only that
        if not self.roster.refuse(worker):
            return
        why = versions.refusal_at_master(worker, versions.of_hello(hello))
        if self._log.has_dealt:
            logger.error("%s; the run goes on without it", why)
        else:
            self.state.fail(WorkerError(why))

    def on_report(self, worker: str, data: object) -> None:
        """Take in a worker's report; raises RelayError for what is no report."""
        if not self._end.has_begun:
            return
        report = decode(Report, data)
        if self._end.receive(worker, report, self._clock.now()):
            self.roster.meet(worker, report)
            if report.trouble and not self.state.trouble:
                self.state.fail(WorkerError(f"worker {worker} cannot go on: {report.trouble}"))
        self._replies.wake()

    # -- the end

    def _run_cycles(self, zero_at: float) -> None:
        if self.cycles.run(zero_at):
            self._dismiss_workers()
            self.state.all_are_closed()

    def _dismiss_workers(self) -> None:
        """Every ticket is closed; workers may still expire hashes and report that."""
        self.roster.count_lost_no_more()
        downloads_s = self.options.drain_timeout_s if self.options.transfers.download else 0.0
        self._drain_workers(ALL_CLOSED, max(EXPIRE_S, downloads_s))
        self._replies.finish()

    def drain(self, ended_by: str, grace_s: float) -> None:
        """Have jobs in flight end at workers within ``grace_s``, and close the rest as unfinished.

        Idempotent: whoever calls it later waits until that is done.
        """
        self.state.drain(ended_by, lambda: self._close_all(grace_s))

    def _close_all(self, grace_s: float) -> None:
        """Have the workers drain, then close what none of them could answer for."""
        self.tickets.stop()
        self._drain_workers(self.state.ended_by, grace_s)
        self._replies.finish()
        self._end.lose_all(self._clock.now())
        self._log.close_unfinished(self._end.pool.empty())
        self._cycling.kill()
        self.cycles.close_rest()

    def _drain_workers(self, ended_by: str, grace_s: float) -> None:
        self._end.drain(Drain(ended_by, grace_s))
        self._replies.wake()
        until = self._clock.now() + grace_s + DRAIN_SLACK_S
        hurried = False
        while self._may_be_drained(until):
            if self.state.given_up.is_set() and not hurried:
                hurried = True
                self._end.drain(Drain(ended_by, 0.0))
                until = self._clock.now() + DRAIN_SLACK_S
            gevent.sleep(TURN_S)

    def _may_be_drained(self, until: float) -> bool:
        """True while there is somebody to wait for; nobody comes back to a run that ends."""
        if not (self._replies.is_on and self.roster.has_workers):
            return False
        return bool(self._end.undrained) and self._clock.now() < until


def master_run(
    options: Options,
    state: RunState,
    *,
    ledger: Ledger,
    bus: JobBus,
    clock: Clock,
    send: Send,
    facts: Mapping[str, str],
    workers: int = 0,
    remains: Remains | None = None,
) -> MasterRun:
    """Make the run of a master; of one that is resumed what ``remains``, else all of it.

    ``send`` is Locust's; ``facts`` are what workers are told of the run. Its id among them is this
    session's, so that nothing which workers of an earlier one say is heard. No ticket is dealt
    before so many ``workers`` have reported, and so said whether they can take part.
    """
    remains = remains or Remains(options)
    state.outcomes.update(remains.earlier.outcomes)
    ledger.linger(LINGER_S)
    tickets = Tickets(remains.tickets, ledger.reopen)
    leases = Leases(Terms(uploads=options.transfers.upload))
    accounts, uploads = WorkerAccounts(ledger), ReusedUploads(ledger)
    roster = Roster(ledger, leases, accounts, workers)
    log = TicketLog(
        options,
        state,
        ledger=ledger,
        bus=bus,
        tickets=tickets,
        accounts=accounts,
        uploads=uploads,
        recall=remains.recall,
        now=clock.now,
    )

    def take_due(before: float) -> Ticket | None:
        return tickets.take_due(before) if roster.is_complete(clock.now) else None

    end = MasterProtocol(facts["run_id"], leases, Pool(take_due), log, facts=facts)
    return MasterRun(
        options,
        state,
        ledger=ledger,
        remains=remains,
        tickets=tickets,
        cycles=Cycles(options, state, ledger=ledger, tickets=tickets, remains=remains, clock=clock),
        roster=roster,
        log=log,
        end=end,
        replies=ReplyLoop(end, ledger, uploads, send, clock.now),
        send=send,
        clock=clock,
    )
