"""Master, workers, a Kiosk and a bad network in virtual time, from the relay's real parts."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types

from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed.clock_skew import measure
from kiosk_locust.distributed.coordinator import MasterProtocol
from kiosk_locust.distributed.leases import Leases, Lost
from kiosk_locust.distributed.messages import Drain, Fenced, Hello, Reply, Report, Terms, Welcome
from kiosk_locust.distributed.ticket_pool import Pool
from kiosk_locust.distributed.worker_protocol import Order, WorkerProtocol
from kiosk_locust.ledger.send_account import Answer, Sent, Statement
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    Ticket,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    Entry,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)

RUN = "a" * 32
ZERO = 1_800_000_000.0
TERMS = Terms(lease_s=4.0, margin_s=0.3)
STEP_S = 0.05
REQUEST = JobRequest("segmentation", "a.png", "uploads/a.png")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, all of it before ``until``; moments are seconds after time zero."""

    seed: int
    drop: float = 0.0
    double: float = 0.0
    slowest_s: float = 0.0
    cut: tuple[tuple[int, float, float], ...] = ()  # worker, from, to: its messages are lost
    hang: tuple[tuple[int, float, float], ...] = ()  # worker, from, to: it stands still
    master_hang: tuple[float, float] = (0.0, 0.0)
    death: tuple[tuple[int, float], ...] = ()  # worker, when
    leave: tuple[tuple[int, float], ...] = ()  # worker, when: it hands over what it has
    stale: float = 0.0  # share of messages that come once more as if of another run
    until: float = 20.0


class Kiosk:
    """What was submitted, and when each job is done."""

    def __init__(self) -> None:
        self.submissions: list[tuple[int, str]] = []  # ticket, job id
        self.done_at: dict[str, float] = {}

    def submit(self, ticket_id: int, done_at: float) -> str:
        job_id = f"job-{len(self.submissions)}"
        self.submissions.append((ticket_id, job_id))
        self.done_at[job_id] = done_at
        return job_id


@dataclass
class Ledger:
    """The master's book; closing twice, or leasing what is closed, is an error at once."""

    on_closed: Callable[[Ticket], None]
    resubmit: bool = True
    closed: dict[int, Record] = field(default_factory=dict)
    late: list[tuple[str, int, TicketEvent]] = field(default_factory=list)
    ambiguous: set[int] = field(default_factory=set)
    accounts: Callable[[str], Statement] = lambda _worker: Statement()

    def leased(self, record: Record) -> None:
        assert record.ticket.id not in self.closed

    def happened(self, record: Record, event: TicketEvent) -> None:
        assert record.ticket.id not in self.closed
        if record.ambiguous:
            self.ambiguous.add(record.ticket.id)
        if isinstance(event, Closed):
            self.closed[record.ticket.id] = record
            self.on_closed(record.ticket)

    def came_back(self, lost: Lost, attempt: Attempt | None) -> bool:
        assert lost.record.ticket.id not in self.closed
        if attempt:
            self.ambiguous.add(lost.record.ticket.id)
        return True

    def account_of(self, worker: str) -> Statement:
        return self.accounts(worker)

    def forget(self, worker: str) -> None:
        pass

    def too_late(self, worker: str, ticket_id: int, event: TicketEvent) -> None:
        self.late.append((worker, ticket_id, event))


@dataclass
class Doing:
    """A ticket at a worker: waiting until it is due, then a job."""

    record: Record
    session: int


class Worker:
    """A worker process: users that take tickets, and jobs that are polled."""

    def __init__(self, index: int, world: World, users: int, rng: random.Random) -> None:
        self.name = f"worker-{index}"
        self.index = index
        self.users = users
        self.end: WorkerProtocol | None = None
        self.doing: list[Doing] = []  # a user each, until submitted and beyond
        self.adopted: list[Doing] = []
        self.inbox: list[Any] = []
        self.said: list[TicketEvent] = []
        self.rng = rng
        self._world = world
        self._sent: list[tuple[int, Sent]] = []  # and what its sender had said by then
        self._offset_s = rng.uniform(-1000, 1000)
        self._drift = rng.uniform(-0.02, 0.02)
        self._hello_at = -100.0

    @property
    def has_gone(self) -> bool:
        """Its process ends once it may go."""
        return self.end is not None and self.end.is_dismissed

    def clock(self) -> float:
        return self._world.now * (1 + self._drift) + self._offset_s - ZERO * self._drift

    def masters(self) -> float:
        """The master's time as this worker reckons it."""
        assert self.end is not None
        return self.clock() + self.end.skew.seconds

    def run(self, *, leaving: bool) -> None:
        for message in self.inbox:
            self._take_in(message)
        self.inbox.clear()
        now = self.clock()
        if self.has_gone:
            return
        if (self.end is None or not self.end.session) and now - self._hello_at > TERMS.beat_s:
            self._hello_at = now
            self._world.send_to_master(self.name, Hello(now))
        if self.end is None:
            return
        if (leaving or self.end.draining) and not self.end.finished:
            self._hand_over()
        if not self.end.finished:
            self._work()
        report = self.end.report(now, self.users - len(self.doing))
        if report:
            self._world.send_to_master(self.name, report)

    def _take_in(self, message: Any) -> None:
        if isinstance(message, Welcome):
            if self.end is None:
                self.end = WorkerProtocol(message, measure(message, self.clock()))
            else:
                self._obey(self.end.welcome(message), self.end.session)
        elif self.end is not None:
            self._obey(self.end.receive(message, self.clock()), self.end.session)

    def _obey(self, orders: list[Order], session: int) -> None:
        for order in orders:
            if isinstance(order, Record):
                self.adopted.append(Doing(order, session))
            elif isinstance(order, Fenced):
                self._drop()

    def _drop(self) -> None:
        self.doing.clear()
        self.adopted.clear()

    def _say(self, doing: Doing, event: TicketEvent) -> None:
        assert self.end is not None
        self.said.append(event)
        self.end.say(Entry(doing.session, doing.record.ticket.id, event), self.clock())

    def _work(self) -> None:
        assert self.end is not None
        while len(self.doing) < self.users and (record := self.end.stock.take()):
            self.doing.append(Doing(record, self.end.session))
            self._say(self.doing[-1], Taken("User", REQUEST, self.masters()))
        for doing in self.doing:
            if not doing.record.job_id and (doing.record.ticket.due_at or 0) <= self.masters():
                self._submit(doing)
        for doings in (self.doing, self.adopted):
            for doing in list(doings):
                job_id = doing.record.job_id
                if job_id and self._world.kiosk.done_at[job_id] <= self._world.now:
                    doings.remove(doing)
                    self._close(doing, Outcome.DONE)

    def _submit(self, doing: Doing) -> None:
        assert self.end is not None
        if not self.end.may_submit(doing.session, self.clock()):
            return
        self._world.check_alone(self, doing.record.ticket.id)
        record, now = doing.record, self.masters()
        done_at = self._world.now + self.rng.uniform(0.1, 3)
        record.job_id = self._world.kiosk.submit(record.ticket.id, done_at)
        attempt = Attempt(1, now, now, now, AttemptResult.ACCEPTED, 200, job_id=record.job_id)
        self._say(doing, Tried(attempt, ambiguous=record.ambiguous))
        self._say(doing, Submitted(record.job_id, now))
        answer = Answer(record.job_id, now, now, now, 200) if self.rng.random() < 0.9 else None
        self._sent.append((self.end.sender.said, Sent(record.ticket.id, 1, b"", answer)))

    def account(self, *, is_dead: bool) -> Statement:
        """The requests that were not acknowledged; some as if it had died before the answer."""
        acknowledged = self.end.sender.acknowledged if self.end else 0
        sent = tuple(sent for position, sent in self._sent if position > acknowledged)
        return Statement(sent, is_complete=is_dead, why="" if is_dead else "it is alive")

    def _close(self, doing: Doing, outcome: Outcome) -> None:
        closed = Closed(doing.record.job_id, outcome, "", self.masters(), 1, None, None, {})
        self._say(doing, closed)

    def _hand_over(self) -> None:
        assert self.end is not None
        stock = [Doing(record, self.end.session) for record in self.end.stock.empty()]
        for doing in (*self.doing, *self.adopted, *stock):
            self._say(doing, Returned())
        self._drop()
        self.end.finish()

    def may_submit(self, ticket_id: int) -> bool:
        """Whether it could submit the ticket at this moment."""
        if self.end is None:
            return False
        stock = self.end.stock.empty()
        for record in stock:
            self.end.stock.put(record)
        waiting = [*self.doing, *(Doing(record, self.end.session) for record in stock)]
        return any(
            doing.record.ticket.id == ticket_id
            and not doing.record.job_id
            and self.end.may_submit(doing.session, self.clock())
            for doing in waiting
        )


class World:
    """All of it; ``run`` lets virtual time pass until everything is closed."""

    def __init__(
        self, trouble: Trouble, *, tickets: int, workers: int, users: int, accounts: bool = False
    ) -> None:
        self.now = ZERO - 2
        self.kiosk = Kiosk()
        self._trouble = trouble
        self._rng = random.Random(trouble.seed)
        rng = self._rng
        self._count = itertools.count()
        self._flying: list[tuple[float, int, str, str, bytes]] = []  # at, _, from, to, message
        plan = (
            Ticket(n, 1, n, ZERO + 0.02 * n if n % 7 else None, "a.png") for n in range(tickets)
        )
        self._plan: Iterator[Ticket] = iter(plan)
        self._next = next(self._plan, None)
        self.closings: defaultdict[int, int] = defaultdict(int)
        self.ledger = Ledger(self._closed)
        if accounts:
            self.ledger.accounts = self._account_of
        self.end = MasterProtocol(
            RUN, Leases(TERMS), Pool(self._take_new), self.ledger, facts={"host": "x"}
        )
        self.end.begin(ZERO)
        self.workers = [Worker(n, self, users, random.Random(rng.random())) for n in range(workers)]
        self._total = tickets
        self._inbox: list[tuple[str, Any]] = []

    def run(self, limit_s: float) -> None:
        while self.now < ZERO + limit_s and len(self.ledger.closed) < self._total:
            self.step()

    def drain(self, limit_s: float) -> None:
        self.end.drain(Drain("the test", 0.0))
        until = self.now + limit_s
        while self.now < until and self.end.undrained:
            self.step()

    def step(self) -> None:
        self.now += STEP_S
        self._deliver()
        at = self.now - ZERO
        begin, end = self._trouble.master_hang
        if not begin <= at < end:
            self._master()
        workers = list(self.workers)
        self._rng.shuffle(workers)
        for worker in workers:
            if self._is_up(worker):
                leaving = any(w == worker.index and at >= t for w, t in self._trouble.leave)
                worker.run(leaving=leaving)

    def is_dead(self, worker: Worker) -> bool:
        at = self.now - ZERO
        return any(w == worker.index and at >= t for w, t in self._trouble.death)

    def _account_of(self, name: str) -> Statement:
        (worker,) = [worker for worker in self.workers if worker.name == name]
        return worker.account(is_dead=self.is_dead(worker))

    def send_to_master(self, worker: str, message: object) -> None:
        self._send(worker, "master", message)

    def check_alone(self, submitter: Worker, ticket_id: int) -> None:
        """No other worker that lives could submit the same ticket now."""
        for worker in self.workers:
            if worker is not submitter and not self.is_dead(worker):
                assert not worker.may_submit(ticket_id)

    def _master(self) -> None:
        for sender, message in self._inbox:
            if isinstance(message, Hello):
                self._send("master", sender, self.end.hello(sender, message, self.now, self.now))
            else:
                self.end.receive(sender, message, self.now)
        self._inbox.clear()
        for worker, reply in self.end.turn(self.now):
            self._send("master", worker, reply)

    def _deliver(self) -> None:
        names = {worker.name: worker for worker in self.workers}
        while self._flying and self._flying[0][0] <= self.now:
            _, _, sender, to, packed = heapq.heappop(self._flying)
            kind, data = msgpack.loads(packed)
            message = decode({k.__name__: k for k in (Hello, Welcome, Report, Reply)}[kind], data)
            if to == "master":
                self._inbox.append((sender, message))
            else:
                names[to].inbox.append(message)

    def _send(self, sender: str, to: str, message: object) -> None:
        trouble, rng, at = self._trouble, self._rng, self.now - ZERO
        bad = at < trouble.until
        if bad and (
            self._is_cut(sender, at) or self._is_cut(to, at) or rng.random() < trouble.drop
        ):
            return
        data = encode(message)
        for _ in range(1 + (bad and rng.random() < trouble.double)):
            self._fly(sender, to, type(message).__name__, data, bad=bad)
        if isinstance(message, (Report, Reply)) and rng.random() < trouble.stale:
            self._fly(sender, to, type(message).__name__, ["b" * 32, *data[1:]], bad=bad)

    def _fly(self, sender: str, to: str, kind: str, data: list[Any], *, bad: bool) -> None:
        delay_s = self._rng.uniform(0, self._trouble.slowest_s) if bad else 0.0
        packed = msgpack.dumps((kind, data))
        heapq.heappush(self._flying, (self.now + delay_s, next(self._count), sender, to, packed))

    def _is_cut(self, name: str, at: float) -> bool:
        return any(
            f"worker-{w}" == name and begin <= at < end for w, begin, end in self._trouble.cut
        )

    def _is_up(self, worker: Worker) -> bool:
        at = self.now - ZERO
        hangs = any(w == worker.index and b <= at < e for w, b, e in self._trouble.hang)
        return not (hangs or self.is_dead(worker))

    def _take_new(self, before: float) -> Ticket | None:
        ticket = self._next
        if ticket is None or (ticket.due_at is not None and ticket.due_at >= before):
            return None
        self._next = next(self._plan, None)
        return ticket

    def _closed(self, ticket: Ticket) -> None:
        self.closings[ticket.id] += 1
