"""The master's run: what breaks at a listener or a worker ends it with words, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.clock import SystemClock
from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.clock_skew import measure
from kiosk_locust.distributed.coordinator_run import master_run
from kiosk_locust.distributed.leases import Fate, Lost
from kiosk_locust.distributed.messages import (
    Fenced,
    Grant,
    Hello,
    Refusal,
    Renewed,
    Reply,
    Report,
    ReusedUpload,
    Terms,
    Welcome,
)
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.errors import RelayError
from kiosk_locust.execution import job
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, Upload
from kiosk_locust.model.ticket_events import Batch, Closed, Entry, Submitted
from tests.helpers.scenarios import make_options, make_record

MAYBE = Attempt(1, 1.0, None, None, AttemptResult.MAYBE, error="worker w was lost")


class Master:
    """A master's run on a ledger of its own; what it sends is kept."""

    def __init__(self, folder: Path, workers: int = 0, **options: Any) -> None:
        clock = SystemClock()
        self.path = folder / "run.db"
        self.ledger = Ledger.create(self.path, {}, now=clock.now)
        self.state = RunState()
        self.ended = self.state.over
        self.sent: list[tuple[str, Any]] = []
        self.told = Event()
        self.bus = JobBus()
        self.run = master_run(
            make_options(count=2, users=2, workload="closed", **options),
            self.state,
            ledger=self.ledger,
            bus=self.bus,
            clock=clock,
            send=self._send,
            facts={"run_id": "r"},
            workers=workers,
        )
        self.run.start(clock.now())

    def _send(self, kind: str, data: Any, _worker: str) -> None:
        self.sent.append((kind, data))
        self.told.set()

    def answer(self, kind: str) -> Any:
        """The next message of that kind."""
        with gevent.Timeout(5):
            while not (found := [data for k, data in self.sent if k == kind]):
                self.told.wait()
                self.told.clear()
        self.sent = [item for item in self.sent if item[0] != kind]
        return found[0]

    def report(self, trouble: str = "") -> Reply:
        report = Report("r", 1, 0.0, 1, 1, (), False, 0.25, 0.125, trouble)
        self.run.on_report("w", encode(report))
        return decode(Reply, self.answer("kiosk_reply"))

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        self.ledger.settle()
        with closing(sqlite3.connect(self.path)) as ledger:
            return ledger.execute(query).fetchall()


class Broken(JobObserver):
    """Has no place for tickets that are closed."""

    def on_closed(self, record: Record, measures: Measures) -> None:
        raise RuntimeError(f"no place for ticket {record.ticket.id}")


def joined(folder: Path, **options: Any) -> Master:
    master = Master(folder, **options)
    master.run.on_hello("w", encode(versions.hello(0.0)))
    assert decode(Welcome, master.answer("kiosk_welcome")).run_id == "r"
    return master


def finish(master: Master, *, hears_nobody: bool = False) -> None:
    drain = gevent.spawn(master.run.drain, "the test", 0.0)
    if hears_nobody:
        drain.join()
    while not drain.ready():
        report = Report("r", 1, 0.0, 9, 0, (), True, 0.25, 0.125, "")
        master.run.on_report("w", encode(report))  # the worker holds nothing
        gevent.sleep(0.01)
    master.ledger.close()


def test_an_observer_that_raises_for_a_lost_ticket_ends_the_run_and_workers_are_still_answered(
    tmp_path: Path,
) -> None:
    master = joined(tmp_path, on_ambiguous="close")
    master.bus.add(Broken(), is_essential=True)
    try:
        record = make_record(7)
        master.ledger.lease(record)
        assert not master.run._log.came_back(Lost("w", record, Fate.MAYBE), MAYBE)
        assert master.ended.is_set()
        assert master.state.trouble == "no place for ticket 7"
        rows = master.sql("SELECT state, outcome, reason FROM tickets WHERE id = 7")
        assert rows == [("closed", "error", "worker w was lost")]
        assert isinstance(master.report().lease, Renewed)
    finally:
        finish(master)


def test_a_closed_job_that_cannot_be_measured_ends_the_run_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_record: Record) -> Measures:
        raise ArithmeticError("no measure")

    master = joined(tmp_path)
    monkeypatch.setattr(job, "measure", fails)
    try:
        granted = grant_of(told(master, 1))
        assert granted
        ticket_id = granted.records[0].ticket.id
        closed = Closed("job-1", Outcome.DONE, "", 1.0, 1, None, None, None)
        batch = Batch(1, (Entry(1, ticket_id, closed),))
        assert told(master, 2, batch).acked == 1
        assert master.state.trouble == "no measure"
        assert master.state.outcomes == {Outcome.DONE: 1}
    finally:
        finish(master)


def test_a_worker_that_cannot_go_on_ends_the_run_with_its_words(tmp_path: Path) -> None:
    master = joined(tmp_path)
    master.report()
    assert not master.ended.is_set()
    master.report(trouble="lost count")
    assert master.ended.is_set()
    assert master.state.trouble == "worker w cannot go on: lost count"
    finish(master)


def test_the_skew_of_a_workers_clock_stands_in_the_ledger(tmp_path: Path) -> None:
    master = joined(tmp_path)
    master.report()
    rows = master.sql("SELECT key, value FROM meta WHERE key LIKE 'worker:%'")
    assert rows == [("worker:w", '{"skew_s": 0.25, "skew_bound_s": 0.125}')]
    finish(master)


def test_a_worker_that_goes_after_the_last_job_was_closed_is_not_lost_to_the_run(
    tmp_path: Path,
) -> None:
    master = joined(tmp_path)
    master.run.roster.has_workers = False  # nobody to wait for
    master.run._dismiss_workers()
    master.run._end.lose_all(1e12)
    assert master.run._end.leases.workers_lost == 1
    assert master.run.roster.workers_lost == 0
    finish(master)


def uploaded(ticket_id: int, name: str) -> Entry:
    return Entry(1, ticket_id, Upload(1.0, 2.0, 3, name))


def told(master: Master, ask: int, *batches: Batch) -> Reply:
    report = Report("r", 1, float(ask), ask, 2, batches, False, 0.25, 0.125, "")
    master.sent.clear()
    master.run.on_report("w", encode(report))
    return decode(Reply, master.answer("kiosk_reply"))


def grant_of(reply: Reply) -> Grant | None:
    assert isinstance(reply.lease, Renewed)
    return reply.lease.grant


def test_a_name_that_is_not_new_is_told_until_the_file_was_uploaded_again(tmp_path: Path) -> None:
    master = joined(tmp_path)
    granted = grant_of(told(master, 1))
    assert granted
    first, second = (record.ticket.id for record in granted.records)
    same = Batch(1, (uploaded(first, "uploads/x.png"), uploaded(second, "uploads/x.png")))
    reply = told(master, 2, same)
    wanted = (ReusedUpload(second, "uploads/x.png"),)
    assert (reply.acked, reply.reused) == (1, wanted)
    assert told(master, 2).reused == wanted  # the reply before may have been lost
    assert told(master, 2, Batch(2, (uploaded(second, "uploads/y.png"),))).reused == ()
    rows = master.sql("SELECT ticket_id, name FROM uploads ORDER BY ticket_id, number")
    assert rows == [(first, "uploads/x.png"), (second, None), (second, "uploads/y.png")]
    names = master.sql("SELECT id, uploaded_name FROM tickets ORDER BY id")
    assert names == [(first, "uploads/x.png"), (second, "uploads/y.png")]
    finish(master)


@pytest.mark.parametrize("lease", [Renewed(), Fenced()])
def test_a_worker_hears_of_such_a_name_with_whatever_reply_acknowledges_it(
    lease: Renewed | Fenced,
) -> None:
    welcome = Welcome("r", 1, 0.0, 0.0, 0.0, 0.0, Terms(), {})
    end = WorkerProtocol(welcome, measure(welcome, 0.0))
    end.receive(Reply("r", 2, 1.0, 7, lease, (ReusedUpload(4, "x"),)), 1.0)
    assert (4, "x") in end.reused
    assert (5, "x") not in end.reused


def test_what_a_worker_says_of_a_ticket_that_is_not_its_own_becomes_a_note(tmp_path: Path) -> None:
    master = joined(tmp_path)
    closed = Closed("job", Outcome.DONE, "", 9.0, 1, None, 8.0, None)
    told(master, 1, Batch(1, (Entry(1, 77, Submitted("job", 2.0)), Entry(1, 77, closed))))
    assert master.sql("SELECT ticket_id, text FROM notes ORDER BY at, text DESC") == [
        (77, "worker w said too late: submitted, Submitted(job_id='job', submitted_at=2.0)"),
        (
            77,
            "worker w said too late: closed, Closed(job_id='job', outcome=<Outcome.DONE: 'done'>,"
            " reason='', closed_at=9.0, polls=1, observed_after=None, observed_at=8.0,"
            " fields=None)",
        ),
    ]
    finish(master)


OLDER = Hello(3.0, "0.0.9", "abcd")


def test_a_worker_of_another_version_is_told_so_and_ends_a_run_that_has_not_begun(
    tmp_path: Path,
) -> None:
    master = Master(tmp_path)
    for _ in range(3):  # it says hello until it is answered
        master.run.on_hello("w", encode(OLDER))
    kinds = [kind for kind, _ in master.sent]
    assert kinds == ["kiosk_refusal", "quit"] * 3
    assert decode(Refusal, master.sent[0][1]) == versions.refusal(3.0)
    assert master.ended.is_set()
    assert "worker w is refused: it runs kiosk_locust 0.0.9 (messages abcd)" in master.state.trouble
    finish(master, hears_nobody=True)


def test_a_worker_of_another_version_that_comes_later_leaves_the_run_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    master = joined(tmp_path)
    assert grant_of(told(master, 1))
    master.run.on_hello("other", encode(OLDER))
    master.run.on_hello("other", encode(OLDER))
    assert not master.ended.is_set()
    assert caplog.text.count("worker other is refused") == 1
    assert "the run goes on without it" in caplog.text
    assert isinstance(master.report().lease, Renewed)
    finish(master)


def test_only_a_hello_of_this_version_is_that_of_a_worker_of_the_run(tmp_path: Path) -> None:
    master = joined(tmp_path)
    assert grant_of(told(master, 1))
    master.run.on_hello("other", encode(OLDER))
    with pytest.raises(RelayError):
        master.run.on_hello("stranger", "hello")
    assert master.run.roster.greeted == {"w"}
    finish(master)


def test_tickets_wait_for_a_worker_that_has_not_reported_until_none_is_expected_of_it(
    tmp_path: Path,
) -> None:
    master = joined(tmp_path, workers=2)
    assert not grant_of(told(master, 1))
    master.run.roster.expect_no_more_of("w")  # it has reported
    assert not grant_of(told(master, 2))
    master.run.roster.expect_no_more_of("stranger")
    assert grant_of(told(master, 3))
    finish(master)


@pytest.mark.parametrize("place", [2, 7, 8])  # sent_at, skew_s, skew_bound_s
def test_a_report_with_a_time_that_is_none_changes_nothing(tmp_path: Path, place: int) -> None:
    master = joined(tmp_path)
    data = encode(Report("r", 1, 0.0, 1, 1, (), False, 0.25, 0.125, "lost count"))
    data[place] = float("nan")
    with pytest.raises(RelayError, match="no Report came in"):
        master.run.on_report("w", data)
    assert not master.ended.is_set()
    assert master.sql("SELECT key FROM meta WHERE key LIKE 'worker:%'") == []
    assert isinstance(master.report().lease, Renewed)
    finish(master)


def test_what_could_not_be_read_is_counted_for_the_run_alone(tmp_path: Path) -> None:
    before = UNREAD.count
    try:
        UNREAD.note("w", "an earlier run's")
        master = joined(tmp_path)
        assert master.run.roster.unread_messages == 0
        UNREAD.note("w", "of no known form")
        assert master.run.roster.unread_messages == 1
        finish(master)
    finally:
        UNREAD.count = before
