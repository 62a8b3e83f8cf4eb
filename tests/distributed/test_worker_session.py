"""A worker's link to a master that does not let it in."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from kiosk_locust.clock import SystemClock
from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.messages import Hello, Refusal, Report, Terms, Welcome
from kiosk_locust.distributed.worker import WorkerEnd
from kiosk_locust.distributed.worker_run import RemoteShare
from kiosk_locust.distributed.worker_session import Link
from kiosk_locust.errors import RelayError


class Worker:
    """A link whose messages are kept; ``faults`` counts what it could not do."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.faults = 0
        self.now = SystemClock().now
        self.link = Link(self._send, self._now, self._make, self._on_fault)

    def _send(self, kind: str, data: Any) -> None:
        self.sent.append((kind, data))

    def _now(self) -> float:
        return self.now()

    def _make(self, _end: WorkerEnd) -> RemoteShare:
        raise RuntimeError("no such option")

    def _on_fault(self) -> None:
        self.faults += 1

    def message(self, kind: str) -> Any:
        """The first message of a kind."""
        with gevent.Timeout(10):
            while not (found := [data for each, data in self.sent if each == kind]):
                gevent.sleep(0.01)
        return found[0]


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.link._greenlet.kill()


def test_a_hello_says_this_processes_version(worker: Worker) -> None:
    hello = decode(Hello, worker.message("kiosk_hello"))
    assert versions.of_hello(hello) == versions.own()


def test_a_refused_worker_says_why_once_and_no_more_hello(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    asked_at = decode(Hello, worker.message("kiosk_hello")).asked_at
    refusal = encode(Refusal(asked_at, "0.9.0", "abcd"))
    for _ in range(2):
        worker.link.on_refusal(refusal)
    count = len(worker.sent)
    gevent.sleep(0.6)
    assert len(worker.sent) == count
    assert worker.faults == 1
    assert caplog.text.count("the master refuses this worker: it runs kiosk_locust 0.9.0") == 1


def test_a_refusal_of_somebody_elses_hello_is_left_alone(worker: Worker) -> None:
    worker.message("kiosk_hello")
    worker.link.on_refusal(encode(Refusal(1.0, "0.9.0", "abcd")))
    assert worker.faults == 0


def test_a_refusal_that_is_none_is_no_message_of_ours(worker: Worker) -> None:
    with pytest.raises(RelayError):
        worker.link.on_refusal("no")


def test_a_welcome_that_cannot_be_read_ends_the_workers_part(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.link.on_welcome(["of", "another", "form"])
    assert worker.faults == 1
    assert "this worker cannot take part: a message that is no Welcome came in" in caplog.text


def test_a_worker_that_cannot_make_its_part_tells_its_master(worker: Worker) -> None:
    asked_at = decode(Hello, worker.message("kiosk_hello")).asked_at
    welcome = Welcome("r", 1, asked_at, asked_at, asked_at, asked_at, Terms(), {})
    worker.link.on_welcome(encode(welcome))
    report = decode(Report, worker.message("kiosk_report"))
    assert report.trouble == "a fault of kiosk_locust: RuntimeError('no such option')"
    assert report.wanted < 0
    assert worker.faults == 1


def test_a_master_that_does_not_answer_is_told_of(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.message("kiosk_hello")
    real = worker.now
    with caplog.at_level(logging.WARNING, "kiosk_locust.distributed.worker_session"):
        worker.now = lambda: real() + 40.0
        with gevent.Timeout(10):
            while "the master has not answered for 30 s" not in caplog.text:
                gevent.sleep(0.02)
    assert "which runs kiosk_locust" in caplog.text
