"""A worker that leaves: it goes once its master knows that it holds nothing, and is not lost."""

from __future__ import annotations

import pytest

from kiosk_locust.distributed.clock_skew import measure
from kiosk_locust.distributed.coordinator import MasterProtocol
from kiosk_locust.distributed.leases import Leases
from kiosk_locust.distributed.messages import Drain, Fenced, Hello, Renewed, Reply, Terms
from kiosk_locust.distributed.ticket_pool import Pool
from kiosk_locust.distributed.worker_protocol import Order, WorkerProtocol
from kiosk_locust.model.record import Ticket
from kiosk_locust.model.ticket_events import Entry, ExpireFailed
from tests.distributed.model import Ledger, Trouble, World

TERMS = Terms()
LONG_AFTER_S = 100.0


class Pair:
    """A master with one ticket to deal, and a worker that begins with room for one."""

    def __init__(self) -> None:
        tickets = iter([Ticket(0, 1, 0, None, "a.png")])
        pool = Pool(lambda _before: next(tickets, None))
        self.orders: list[Order] = []
        self.master = MasterProtocol(
            "r", Leases(TERMS), pool, Ledger(lambda _ticket: None), facts={}
        )
        self.master.begin(0.0)
        welcome = self.master.hello("w", Hello(0.0), 0.0, 0.0)
        self.worker = WorkerProtocol(welcome, measure(welcome, 0.0))

    def report(self, now: float) -> None:
        report = self.worker.report(now, 1)
        assert report
        assert self.master.receive("w", report, now)

    def replies(self, now: float) -> list[Reply]:
        return [reply for _, reply in self.master.turn(now)]

    def hear(self, reply: Reply, now: float) -> None:
        self.orders += self.worker.receive(reply, now)

    def lost(self) -> int:
        """How many workers the master counts as lost once all leases are over."""
        self.master.turn(LONG_AFTER_S)
        self.master.turn(2 * LONG_AFTER_S)
        return self.master.leases.workers_lost


def test_tickets_that_cross_the_last_words_of_a_worker_keep_it() -> None:
    pair = Pair()
    pair.report(0.1)
    (grant,) = pair.replies(0.1)
    assert isinstance(grant.lease, Renewed)
    assert grant.lease.grant
    pair.worker.finish()  # the grant is on its way
    assert pair.worker.is_drained
    pair.report(0.2)
    (answer,) = pair.replies(0.2)
    pair.hear(grant, 0.3)
    pair.hear(answer, 0.3)
    assert not pair.worker.is_dismissed
    pair.report(0.4)  # the ticket goes back
    for reply in pair.replies(0.4):
        pair.hear(reply, 0.5)
    assert not pair.worker.is_dismissed
    pair.report(0.6)
    for reply in pair.replies(0.6):
        pair.hear(reply, 0.7)
    assert pair.worker.is_dismissed
    assert pair.worker.report(5.0, 1) is None
    assert (Fenced() in pair.orders, pair.lost()) == (False, 0)


def test_a_word_of_dismissal_that_is_lost_comes_again() -> None:
    pair = Pair()
    pair.worker.finish()
    pair.report(0.1)
    assert pair.replies(0.1)  # and lost
    pair.report(1.1)
    (reply,) = pair.replies(1.1)
    pair.hear(reply, 1.2)
    assert pair.worker.is_dismissed
    assert (Fenced() in pair.orders, pair.lost()) == (False, 0)


def leaving_while_the_run_ends() -> tuple[Pair, Reply]:
    """A worker that has told all, and its master's answer, which is on its way."""
    pair = Pair()
    pair.master.drain(Drain("Ctrl-C", 0.0))
    pair.worker.finish()
    pair.report(0.1)
    (reply,) = pair.replies(0.1)
    return pair, reply


def test_a_worker_that_leaves_while_the_run_ends_is_dismissed_too() -> None:
    pair, reply = leaving_while_the_run_ends()
    pair.hear(reply, 0.2)
    assert pair.worker.is_dismissed
    pair.master.lose_all(1.0)
    assert pair.master.leases.workers_lost == 0


def test_news_that_are_not_acknowledged_keep_a_worker() -> None:
    pair, reply = leaving_while_the_run_ends()
    pair.worker.say(Entry(1, 0, ExpireFailed("gone")), 0.2)
    pair.hear(reply, 0.2)
    assert not pair.worker.is_dismissed


@pytest.mark.parametrize("drop", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(10))
def test_over_a_slow_network_that_drops_messages_no_worker_that_leaves_is_lost(
    seed: int, drop: float
) -> None:
    trouble = Trouble(seed=seed, drop=drop, slowest_s=0.4, leave=((1, 0.6), (2, 0.9)), until=60.0)
    world = World(trouble, tickets=60, workers=3, users=25)
    world.run(120.0)
    assert len(world.closings) == 60
    assert world.end.leases.workers_lost == 0
    assert not world.ledger.ambiguous
    assert [worker.has_gone for worker in world.workers] == [False, True, True]
