"""A run whose jobs live at workers: the master owns ledger, cycles and leases, and no users."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gevent
from gevent.event import Event

from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.codec import decode, decode_any_version, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.coordinator import MasterEnd
from kiosk_locust.distributed.leases import Fate, Lost
from kiosk_locust.distributed.messages import Drain, Hello, Reply, Report, ReusedUpload, Terms
from kiosk_locust.distributed.ticket_pool import UNKNOWN, Pool
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import LedgerError, WorkerError
from kiosk_locust.execution.job import Ending, close
from kiosk_locust.execution.run import Run
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.reader import WORKER_KEY
from kiosk_locust.ledger.send_account import Statement
from kiosk_locust.measurement.process_figures import ProcessFigures
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.record import (
    Attempt,
    Download,
    Outcome,
    Record,
    StatusChange,
    Ticket,
    Upload,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    ExpireFailed,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)

logger = logging.getLogger(__name__)

#: How often the master deals, at least.
TURN_S = 0.05
#: Reports that come within this time are answered together, unless tickets wait for takers.
GATHER_S = 0.05
#: Events wait for company less long here: they have waited at their worker.
LINGER_S = 0.015
#: After their grace, workers only close records and expire hashes.
DRAIN_SLACK_S = 15.0
#: The last replies may wait so long for the disk.
LAST_REPLIES_S = 5.0
#: Workers look for the files of the plan before they take part; a million take some seconds.
AWAIT_LIMIT_S = 120.0

Send = Callable[[str, Any, str], None]


class MasterRun(Run):
    """Deals leases and takes in events; ``send(type, data, worker)`` is Locust's."""

    def attach(self, send: Send, facts: Mapping[str, str], workers: int = 0) -> None:
        """Set how workers are reached, and what they are told of the run.

        Its id is this session's, so that nothing which workers of an earlier one say is heard.
        No ticket is dealt before so many ``workers`` have reported, and so said whether they can
        take part.
        """
        self._send = send
        self.ledger.linger(LINGER_S)
        self._run_id = facts["run_id"]
        self._facts = facts
        self._woken = Event()
        self._end: MasterEnd | None = None
        self._met: set[str] = set()  # workers that have reported
        self.greeted: set[str] = set()  # workers that said hello as this plugin does
        self._uploads: list[tuple[Record, str]] = []  # with names that are not looked at yet
        self._reused: dict[int, str] = {}  # by ticket: its last upload has a name that is not new
        self.workers: dict[str, ProcessFigures] = {}  # what each saw of itself
        self._troubles: dict[str, tuple[Trouble, ...]] = {}  # which of its calls fail, by worker
        self._awaited = workers
        self._lost_in_run: int | None = None  # workers, once every ticket is closed
        self._is_served = False  # what is heard from now on is not answered
        self._accounts: dict[str, str] = {}  # the tokens of those of workers, by worker
        self._refused: set[str] = set()  # workers of another version
        self._has_dealt = False  # a ticket was granted: the run has begun
        self._unread_before = UNREAD.count  # of earlier runs of this process
        self.has_workers = True  # set by whoever looks whether any is connected

    def start(self, zero_at: float) -> None:
        """Begin the first cycle, and let workers take part.

        Workers may go on for a lease without their master: a resume must know it.
        """
        terms = Terms(uploads=self.options.transfers.upload)
        self.ledger.set_meta(sendable_s=repr(terms.lease_s + terms.horizon_s))
        self._end = MasterEnd(
            self._run_id,
            terms,
            Pool(self._take_due),
            self,
            zero_at=zero_at,
            facts=self._facts,
        )
        self._await_until = zero_at + AWAIT_LIMIT_S
        self._server = gevent.spawn(self._serve, self._end)
        super().start(zero_at)

    def _take_due(self, before: float) -> Ticket | None:
        """The next ticket, once all workers have said whether they can take part."""
        if len(self._met) < self._awaited and self._clock.now() < self._await_until:
            return None
        return self._tickets.take_due(before)

    def _adopt(self, record: Record) -> None:
        if self._end is not None:
            self._end.pool.put(record)

    # -- messages

    def on_hello(self, worker: str, data: object) -> None:
        """A worker asks to take part; raises RelayError for what is no hello."""
        received_at = self._clock.now()
        hello = decode_any_version(Hello, data)
        is_ours = versions.of_hello(hello) == versions.own()
        if is_ours:
            self.greeted.add(worker)
        if self._end is None:
            return
        if not is_ours:
            self._refuse(worker, hello)
            return
        if self.state.all_closed.is_set():
            return
        welcome = self._end.hello(worker, hello, received_at, self._clock.now())
        self._send("kiosk_welcome", encode(welcome), worker)

    def _refuse(self, worker: str, hello: Hello) -> None:
        """Let a worker of another version go; before the first ticket, that ends the run.

        Later the run goes on with those that it has: hours of it are worth more.
        """
        self._send("kiosk_refusal", encode(versions.refusal(hello.asked_at)), worker)
        self._send("quit", None, worker)  # older ones know only that
        if worker in self._refused:
            return
        self._refused.add(worker)
        why = versions.refusal_at_master(worker, versions.of_hello(hello))
        if self._has_dealt:
            logger.error("%s; the run goes on without it", why)
        else:
            self.state.fail(WorkerError(why))

    def on_report(self, worker: str, data: object) -> None:
        """A worker reports; raises RelayError for what is no report."""
        if self._end is None:
            return
        report = decode(Report, data)
        if self._end.receive(worker, report, self._clock.now()):
            self._meet(worker, report)
            if self._end.leases.is_on(worker):
                self._note_account(worker, report.account)
        self._woken.set()

    def expect_no_more_of(self, worker: str) -> None:
        """Deal tickets without waiting for ``worker``, which is none of this plugin's."""
        if worker not in self._met:
            self._awaited -= 1

    @property
    def unread_messages(self) -> int:
        """Number of messages that could not be read since the run was made."""
        return UNREAD.count - self._unread_before

    @property
    def workers_lost(self) -> int:
        """How many workers died or fell silent while tickets were left."""
        if self._lost_in_run is not None:
            return self._lost_in_run
        return self._end.workers_lost if self._end else 0

    @property
    def troubles(self) -> Mapping[str, tuple[Trouble, ...]]:
        """Which calls fail, by worker; of those that take part now."""
        if self._end is None:
            return {}
        is_on = self._end.leases.is_on
        return {name: those for name, those in self._troubles.items() if is_on(name)}

    def _meet(self, worker: str, report: Report) -> None:
        self._troubles[worker] = report.troubles
        if report.figures:
            self.workers[worker] = report.figures
        if worker not in self._met:
            self._met.add(worker)
            skew = {"skew_s": report.skew_s, "skew_bound_s": report.skew_bound_s}
            self.ledger.set_meta(**{f"{WORKER_KEY}{worker}": json.dumps(skew)})
        if report.trouble and not self.state.trouble:
            self.state.fail(WorkerError(f"worker {worker} cannot go on: {report.trouble}"))

    def _note_account(self, worker: str, token: str) -> None:
        """A ledger says whose accounts are to be read, before anything is granted to them."""
        if self._accounts.get(worker) != token:
            self._accounts[worker] = token
            self.ledger.set_meta(**{f"{send_account.KEY}:{worker}": token})

    def _serve(self, end: MasterEnd) -> None:
        while True:
            if self._woken.wait(TURN_S) and not end.is_starved:
                gevent.sleep(GATHER_S)
            self._woken.clear()
            is_last = self._is_served
            try:
                replies = end.turn(self._clock.now())
                uploads, self._uploads = self._uploads, []
                if replies or uploads:
                    self.ledger.settle()  # what is acknowledged or granted is on the disk
                    self._look_at_names(uploads)
            except LedgerError:
                return  # the run has been told; nothing is granted any more
            for worker, reply in replies:
                told = self._with_reused(end, worker, reply) if self._reused else reply
                self._send("kiosk_reply", encode(told), worker)
            if is_last:
                return

    def _look_at_names(self, uploads: list[tuple[Record, str]]) -> None:
        """Note the uploads whose names the run has had; raises LedgerError."""
        names = [(record.ticket.id, name) for record, name in uploads]
        for (record, name), is_reused in zip(uploads, self.ledger.reused(names), strict=True):
            if is_reused:
                self._reused[record.ticket.id] = name
                record.upload = None  # should its worker be lost, it was surely not submitted

    def _with_reused(self, end: MasterEnd, worker: str, reply: Reply) -> Reply:
        """The reply with those uploads of the worker's tickets that do not count."""
        reused = tuple(
            ReusedUpload(ticket_id, name)
            for ticket_id, name in self._reused.items()
            if (owner := end.leases.owner(ticket_id)) and owner.worker == worker
        )
        return replace(reply, reused=reused)

    # -- what the relay tells

    def leased(self, record: Record) -> None:
        """The ticket is about to be granted; its row must be there before."""
        self._has_dealt = True
        if not record.attempts:
            self._remains.recall(record)
        if not record.job_id:
            self._lease_again(record)

    def happened(self, record: Record, event: TicketEvent) -> None:
        """Tell the ledger and the listeners, as a job in this process would."""
        match event:
            case Taken() if not record.job_id:
                self.ledger.taken(record)
            case Upload():
                self.ledger.uploaded(record, event)
                self._reused.pop(record.ticket.id, None)
                if event.name:
                    self._uploads.append((record, event.name))
            case Tried():
                self.ledger.attempt(record, event.attempt)
            case Submitted():
                self._tell(self.ledger.submit, self._bus.submitted, record)
            case StatusChange():
                self._tell(self.ledger.change, self._bus.status, record, event)
            case Closed():
                self._tell(self.ledger.close_ticket, self._bus.closed, record, measure(record))
                self._count(record)

    def came_back(self, lost: Lost, attempt: Attempt | None) -> bool:
        """A ticket lost its worker: it is adopted, open again, or closed if so wanted."""
        record = lost.record
        self._reused.pop(record.ticket.id, None)
        if attempt:
            logger.warning("ticket %d: %s", record.ticket.id, attempt.error)
            self.ledger.attempt(record, attempt)
            if self.options.on_ambiguous == "close":
                self._close(record, Ending(Outcome.ERROR, attempt.error))
                return False
        if lost.fate is not Fate.ADOPT:
            self.ledger.reopen(record.ticket)
        return True

    def account_of(self, worker: str) -> Statement:
        """Read the account of a worker that was lost."""
        token = self._accounts.get(worker, "")
        statement = Statement()
        if send_account.TOKEN.fullmatch(token):
            statement = send_account.read(send_account.path_of(self.ledger.path, token), token)
        logger.warning(
            "worker %s was lost: %s",
            worker,
            statement.why or "by its account it is known what it had sent",
        )
        return statement

    def forget(self, worker: str) -> None:
        """Nothing that a worker sent is open any more: its account is not needed."""
        if self._accounts.pop(worker, None) is not None:
            self.ledger.forget_meta(f"{send_account.KEY}:{worker}")

    def too_late(self, worker: str, ticket_id: int, event: TicketEvent) -> None:
        """Keep as a note what came too late to count."""
        ticket = Ticket(ticket_id, 0, 0, None, "")
        record = Record(ticket, "", UNKNOWN, 0.0)
        match event:
            case ExpireFailed():
                self.ledger.expire_failed(replace(record, expire_error=event.error))
            case Download():
                self.ledger.downloaded(record, event)
            case Submitted() | Closed():
                text = f"worker {worker} said too late: {type(event).__name__.lower()}, {event}"
                self.ledger.note(text, self._clock.now(), ticket)

    def _lease_again(self, record: Record) -> None:
        """Write its row anew, with what was known before."""
        self.ledger.lease(record)
        for attempt in record.attempts:
            self.ledger.attempt(record, attempt)

    def _tell(
        self, write: Callable[..., None], publish: Callable[..., None], *event: object
    ) -> None:
        """Write it, and then tell everybody; what that raises ends the run, and not who tells."""
        try:
            write(*event)
            publish(*event)
        except Exception as error:  # noqa: BLE001  other news of the same message must not be lost
            self.state.fail(error)

    def _close(self, record: Record, ending: Ending) -> None:
        try:
            close(record, ending, self._clock.now(), self.ledger, self._bus)
        except Exception as error:  # noqa: BLE001  as in _tell
            self.state.fail(error)
        self._count(record)

    def _count(self, record: Record) -> None:
        self._reused.pop(record.ticket.id, None)
        self.state.count(record.outcome)
        self._tickets.closed(record.ticket)

    # -- the end

    def _before_all_closed(self) -> None:
        """Workers may still expire hashes and report that."""
        self._lost_in_run = self.workers_lost
        downloads_s = self.options.drain_timeout_s if self.options.transfers.download else 0.0
        self._drain_workers(ALL_CLOSED, max(60.0, downloads_s))
        self._end_service()

    def _wait_for_jobs(self, grace_s: float) -> None:
        """Have the workers drain, then close what none of them could answer for."""
        if self._end is None:
            return
        self._drain_workers(self.state.ended_by, grace_s)
        self._end_service()
        self._end.lose_all(self._clock.now())
        for record in self._tried(self._end.pool.empty()):
            reason = f"the run was ended by {self.state.ended_by}"
            self._close(record, Ending(Outcome.UNFINISHED, reason))

    def _tried(self, records: list[Record]) -> Iterator[Record]:
        """Those that something was done for; what of the others was promised is closed later."""
        for record in records:
            if record.job_id or record.attempts:
                yield record
            elif not self.options.count:
                self._tickets.closed(record.ticket)

    def _drain_workers(self, ended_by: str, grace_s: float) -> None:
        if self._end is None:
            return
        self._end.drain(Drain(ended_by, grace_s))
        self._woken.set()
        until = self._clock.now() + grace_s + DRAIN_SLACK_S
        hurried = False
        while self._may_be_drained(self._end, until):
            if self.state.given_up.is_set() and not hurried:
                hurried = True
                self._end.drain(Drain(ended_by, 0.0))
                until = self._clock.now() + DRAIN_SLACK_S
            gevent.sleep(TURN_S)

    def _end_service(self) -> None:
        """Answer what has been heard: workers that have drained wait for that before they go."""
        self._is_served = True
        self._woken.set()
        self._server.join(timeout=LAST_REPLIES_S)
        self._server.kill()

    def _may_be_drained(self, end: MasterEnd, until: float) -> bool:
        """Whether there is somebody to wait for; nobody comes back to a run that ends."""
        if self._server.dead or not self.has_workers:
            return False
        return bool(end.undrained) and self._clock.now() < until
