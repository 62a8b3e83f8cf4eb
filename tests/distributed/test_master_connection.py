"""A worker's connection to a master that does not let it in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.clock import SystemClock
from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.clock_skew import Skew
from kiosk_locust.distributed.master_connection import MasterConnection
from kiosk_locust.distributed.messages import (
    NOTHING,
    Drain,
    Hello,
    Refusal,
    Renewed,
    Reply,
    Report,
    Terms,
    Welcome,
)
from kiosk_locust.distributed.worker_protocol import WorkerProtocol
from kiosk_locust.distributed.worker_run import WorkerRun
from kiosk_locust.errors import PreflightError, RelayError


class Worker:
    """A connection whose messages are kept; ``faults`` counts what it could not do."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.faults = 0
        self.now = SystemClock().now
        self.error: Exception = RuntimeError("no such option")
        self.run: Any = None  # its part, where it can make one
        self.may_build = Event()
        self.may_build.set()
        self.connection = MasterConnection(self._send, self._now, self._build, self._on_fault)

    def _send(self, kind: str, data: Any) -> None:
        self.sent.append((kind, data))

    def _now(self) -> float:
        return self.now()

    def _build(self, _welcome: Welcome, _skew: Skew) -> WorkerRun:
        self.may_build.wait()
        if self.run is None:
            raise self.error
        return cast("WorkerRun", self.run)

    def _on_fault(self) -> None:
        self.faults += 1

    def message(self, kind: str) -> Any:
        """The first message of a kind."""
        with gevent.Timeout(10):
            while not (found := [data for each, data in self.sent if each == kind]):
                gevent.sleep(0.01)
        return found[0]


def welcome_to(worker: Worker) -> Welcome:
    """The answer to its hello."""
    asked_at = decode(Hello, worker.message("kiosk_hello")).asked_at
    return Welcome("r", 1, asked_at, asked_at, asked_at, asked_at, Terms(), {})


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.connection.close(0.0)


def test_a_hello_says_this_processes_version(worker: Worker) -> None:
    hello = decode(Hello, worker.message("kiosk_hello"))
    assert versions.of_hello(hello) == versions.own()


def test_a_refused_worker_says_why_once_and_no_more_hello(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    asked_at = decode(Hello, worker.message("kiosk_hello")).asked_at
    refusal = encode(Refusal(asked_at, "0.9.0", "abcd"))
    for _ in range(2):
        worker.connection.on_refusal(refusal)
    count = len(worker.sent)
    gevent.sleep(0.6)
    assert len(worker.sent) == count
    assert worker.faults == 1
    assert caplog.text.count("the master refuses this worker: it runs kiosk_locust 0.9.0") == 1


def test_a_refusal_of_somebody_elses_hello_is_left_alone(worker: Worker) -> None:
    worker.message("kiosk_hello")
    worker.connection.on_refusal(encode(Refusal(1.0, "0.9.0", "abcd")))
    assert worker.faults == 0


def test_a_refusal_that_is_none_is_no_message_of_ours(worker: Worker) -> None:
    with pytest.raises(RelayError):
        worker.connection.on_refusal("no")


def test_a_welcome_that_cannot_be_read_ends_the_workers_part(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.connection.on_welcome(["of", "another", "form"])
    assert worker.faults == 1
    assert "this worker cannot take part: a message that is no Welcome came in" in caplog.text


def test_a_worker_that_cannot_make_its_part_tells_its_master(worker: Worker) -> None:
    worker.connection.on_welcome(encode(welcome_to(worker)))
    report = decode(Report, worker.message("kiosk_report"))
    assert report.trouble == "a fault of kiosk_locust: RuntimeError('no such option')"
    assert report.wanted < 0
    assert worker.faults == 1


def test_a_worker_that_must_not_take_part_tells_its_master_why(worker: Worker) -> None:
    worker.error = PreflightError("it lacks a class")
    worker.connection.on_welcome(encode(welcome_to(worker)))
    report = decode(Report, worker.message("kiosk_report"))
    assert (report.trouble, report.wanted) == ("it lacks a class", NOTHING)
    assert worker.faults == 1


class IdleRun:
    """A part of a run in which nothing is done; ``drained`` has what ended it."""

    def __init__(self, protocol: WorkerProtocol) -> None:
        self.protocol = protocol
        self.drained: list[tuple[str, float]] = []
        self.log = SimpleNamespace(wait_for_urgent=lambda _s: gevent.sleep(0.01))
        self.tickets = SimpleNamespace(takers=0)

    def came(self) -> None:
        pass

    def drain(self, ended_by: str, grace_s: float) -> None:
        self.drained.append((ended_by, grace_s))


def test_a_run_that_ends_while_a_worker_makes_its_part_ends_there_too(
    worker: Worker,
) -> None:
    welcome = welcome_to(worker)
    worker.run = IdleRun(WorkerProtocol(welcome, Skew(0.0, 0.0)))
    worker.may_build.clear()
    end = Reply("r", 1, 0.0, 0, Renewed(drain=Drain("Stop", 5.0)))
    worker.connection.on_welcome(encode(welcome))
    gevent.sleep(0.02)
    worker.connection.on_reply(encode(end))
    worker.may_build.set()
    worker.message("kiosk_report")
    worker.connection.on_reply(encode(end))
    gevent.sleep(0.02)
    assert worker.run.drained == [("Stop", 5.0)]


def test_a_part_that_is_still_made_when_its_worker_goes_is_never_taken_up(worker: Worker) -> None:
    welcome = welcome_to(worker)
    worker.run = IdleRun(WorkerProtocol(welcome, Skew(0.0, 0.0)))
    worker.may_build.clear()
    worker.connection.on_welcome(encode(welcome))
    gevent.sleep(0.02)
    leaving = gevent.spawn(worker.connection.close, 0.0)
    gevent.sleep(0.005)
    worker.may_build.set()
    leaving.join(5)
    assert (worker.connection.run, worker.connection.ready.is_set()) == (None, False)


def test_a_master_that_does_not_answer_is_told_of(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.message("kiosk_hello")
    real = worker.now
    with caplog.at_level(logging.WARNING, "kiosk_locust.distributed.master_connection"):
        worker.now = lambda: real() + 40.0
        with gevent.Timeout(10):
            while "the master has not answered for 30 s" not in caplog.text:
                gevent.sleep(0.02)
    assert "which runs kiosk_locust" in caplog.text
