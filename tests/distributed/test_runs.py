"""What is said in one run has no effect in another, whoever says it."""

from __future__ import annotations

from kiosk_locust.distributed.clock_skew import measure
from kiosk_locust.distributed.coordinator import MasterProtocol
from kiosk_locust.distributed.leases import Leases
from kiosk_locust.distributed.messages import (
    Drain,
    Grant,
    Hello,
    Renewed,
    Reply,
    Report,
    Terms,
    Welcome,
)
from kiosk_locust.distributed.ticket_pool import UNKNOWN, Pool
from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.model.record import Outcome, Record, Ticket
from kiosk_locust.model.ticket_events import Batch, Closed, Entry, Returned
from tests.distributed.model import Ledger

TERMS = Terms()
TICKET = Ticket(0, 1, 0, 1.0, "a.png")


def report(run_id: str, *batches: Batch, ask: int = 1) -> Report:
    return Report(
        run_id, 1, 0.0, ask, 1, batches, drained=False, skew_s=0, skew_bound_s=0, trouble=""
    )


def closing() -> Batch:
    closed = Closed("job", Outcome.DONE, "", 1.0, 1, None, None, {})
    return Batch(1, (Entry(1, TICKET.id, closed),))


def master_that_has_granted_a_ticket() -> tuple[MasterProtocol, Ledger]:
    ledger = Ledger(lambda _ticket: None)
    tickets = iter([TICKET])
    pool = Pool(lambda _before: next(tickets, None))
    end = MasterProtocol("mine", Leases(TERMS), pool, ledger, facts={})
    end.begin(0.0)
    end.hello("w", Hello(0.0), 0.0, 0.0)
    assert end.receive("w", report("mine"), 0.0)
    ((_, answer),) = end.turn(0.5)
    assert isinstance(answer.lease, Renewed)
    assert answer.lease.grant
    return end, ledger


def test_news_of_another_run_close_no_ticket() -> None:
    end, ledger = master_that_has_granted_a_ticket()
    assert not end.receive("w", report("another", closing(), ask=2), 0.6)
    assert ledger.closed == {}
    assert end.receive("w", report("mine", closing(), ask=2), 0.6)
    assert set(ledger.closed) == {TICKET.id}


def test_a_report_of_another_run_renews_no_lease() -> None:
    end, _ = master_that_has_granted_a_ticket()
    for tenth in range(1, 150):
        end.receive("w", report("another"), tenth / 10)
        end.turn(tenth / 10)
    assert end.leases.sessions == []


def worker() -> WorkerProtocol:
    welcome = Welcome("mine", 1, 0.0, 0.0, 0.0, 0.0, TERMS, {})
    return WorkerProtocol(welcome, measure(welcome, 0.0))


def reply(run_id: str) -> Reply:
    grant = Grant(1, (Record(TICKET, "", UNKNOWN, 0.0),))
    return Reply(run_id, 1, 0.0, 0, Renewed(grant, Drain("Stop", 1.0)))


def test_a_reply_of_another_run_gives_nothing_and_ends_nothing() -> None:
    end = worker()
    assert end.receive(reply("another"), 0.1) == []
    assert (len(end.stock), end.may_submit(1, 0.1), end.draining) == (0, False, False)
    assert end.receive(reply("mine"), 0.1) == [Drain("Stop", 1.0)]
    assert (end.may_submit(1, 0.1), end.draining) == (True, True)


def test_a_reply_of_another_run_acknowledges_no_news() -> None:
    end = worker()
    end.say(Entry(1, TICKET.id, Returned()), 0.0)
    end.report(0.0, 1)
    end.receive(Reply("another", 1, 0.0, 1, Renewed()), 0.1)
    assert not end.sender.is_empty
    end.receive(Reply("mine", 1, 0.0, 1, Renewed()), 0.1)
    assert end.sender.is_empty
