"""A worker's link to its master: it says hello until it is welcome, and then reports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from kiosk_locust.codec import decode, decode_any_version, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.messages import Drain, Refusal, Reply, Welcome
from kiosk_locust.distributed.versions import Version
from kiosk_locust.distributed.worker import WorkerEnd
from kiosk_locust.distributed.worker_run import RemoteShare
from kiosk_locust.errors import RelayError
from kiosk_locust.execution.executor import RequestFor
from kiosk_locust.model.options import Options

logger = logging.getLogger(__name__)

#: How often a worker looks whether it has something to report.
TURN_S = 0.02
#: An urgent event waits so long for more: a job id must be safe soon, a message for each is dear.
COMPANY_S = 0.008
#: How often it says hello, until it is welcome.
HELLO_S = 0.5
#: A master that has not answered for so long may be one that knows no such hello.
UNANSWERED_S = 30.0
#: A worker that holds nothing any more waits so long for its master to know that.
DISMISSAL_S = 3.0

Send = Callable[[str, Any], None]


class Link:
    """Says hello until it is welcome, then reports; ``make`` makes its share of the run.

    ``on_fault`` is called where this worker cannot take part: it is refused, or ``make`` raised.
    """

    def __init__(
        self,
        send: Send,
        own_clock: Callable[[], float],
        make: Callable[[WorkerEnd], RemoteShare],
        on_fault: Callable[[], None],
    ) -> None:
        self.ready = Event()
        self.share: RemoteShare | None = None
        self._send = send
        self._now = own_clock
        self._make = make
        self._on_fault = on_fault
        self._is_refused = False
        self._end: WorkerEnd | None = None
        self._asked: set[float] = set()
        self._greenlet = gevent.spawn(self._serve)
        self.welcome_facts: Welcome | None = None

    @property
    def options(self) -> Options:
        """The run's."""
        self.ready.wait()
        assert self.share is not None  # noqa: S101  set before it is ready
        return self.share.options

    def work(self, request_for: RequestFor) -> None:
        """What a user does, once the run is known."""
        self.ready.wait()
        if self.share:
            self.share.work(request_for)

    def on_welcome(self, data: object) -> None:
        """The master has a run for us; a welcome that cannot be read is a refusal."""
        arrived_at = self._now()
        try:
            welcome = decode(Welcome, data)
        except RelayError as error:
            self._refused(f"this worker cannot take part: {error}")
            return
        if welcome.asked_at not in self._asked:  # to somebody else's hello, or of an earlier run
            return
        if self._end is not None:
            self._end.welcome(welcome)
            return
        self.welcome_facts = welcome
        self._end = WorkerEnd(
            welcome,
            arrived_at,
            on_adopt=lambda record: self.share.adopt(record) if self.share else None,
            on_drain=self._on_drain,
            on_fenced=lambda: self.share.drop() if self.share else None,
        )
        gevent.spawn(self._begin, self._end)

    def on_refusal(self, data: object) -> None:
        """The master runs another version; it has us quit, too. Raises RelayError."""
        refusal = decode_any_version(Refusal, data)
        if refusal.asked_at in self._asked:
            masters = Version(refusal.version, refusal.messages)
            self._refused(versions.refusal_at_worker(masters))

    def _refused(self, why: str) -> None:
        if not self._is_refused:
            self._is_refused = True
            logger.error("%s", why)
            self._on_fault()

    def _begin(self, end: WorkerEnd) -> None:
        try:
            self.share = self._make(end)
        except Exception as error:
            logger.exception("a fault of kiosk_locust: this worker cannot take part")
            end.trouble, end.finished = f"a fault of kiosk_locust: {error!r}", True
            self._on_fault()
            return
        self.ready.set()

    def on_reply(self, data: object) -> None:
        """The master answers a report; raises RelayError for what is no reply."""
        if self._end is None:
            return
        self._end.receive(decode(Reply, data), self._now())
        if self.share is None:
            return
        arrived, self.share.ledger.arrived = self.share.ledger.arrived, Event()
        arrived.set()
        self.share.came()

    def close(self, timeout_s: float) -> None:
        """Wait until all is told and the master knows that it was all, and go.

        A worker that goes before counts as lost there: tickets may be on their way to it.
        """
        until = self._now() + timeout_s
        drained_at: float | None = None
        while (end := self._end) and end.session and not end.is_dismissed and self._now() < until:
            if not end.is_drained:
                drained_at = None
            elif drained_at is None:
                drained_at = self._now()
            elif self._now() - drained_at >= DISMISSAL_S:
                break
            gevent.sleep(TURN_S)
        gevent.sleep(2 * TURN_S)  # without time to wait: the report that says so
        self._greenlet.kill()

    def _on_drain(self, drain: Drain) -> None:
        if self.share is None:
            return
        if drain.grace_s == 0:
            self.share.state.give_up()
        gevent.spawn(self.share.drain, drain.ended_by, drain.grace_s)

    def _serve(self) -> None:
        asked_at = -1e9
        quiet_until = self._now() + UNANSWERED_S
        while True:
            now = self._now()
            if self._is_to_say_hello and now - asked_at >= HELLO_S:
                asked_at = now
                self._asked.add(now)
                self._send("kiosk_hello", encode(versions.hello(now)))
                if self._end is None and now >= quiet_until:
                    quiet_until = now + UNANSWERED_S
                    logger.warning(
                        "the master has not answered for %g s: it may run an older version of"
                        " kiosk_locust than this worker, which runs %s",
                        *(UNANSWERED_S, versions.own()),
                    )
            if self._end is not None and (self.share or self._end.trouble):
                report = self._end.report(now, self.share.tickets.takers if self.share else 0)
                if report:
                    self._send("kiosk_report", encode(report))
            self._rest()

    @property
    def _is_to_say_hello(self) -> bool:
        if self._end is None:
            return not self._is_refused
        return not self._end.session and not self._end.is_dismissed

    def _rest(self) -> None:
        """Wait for the next look, or for an urgent event and a moment for company."""
        if self.share is None:
            gevent.sleep(TURN_S)
        elif self.share.ledger.urgent.wait(TURN_S):
            self.share.ledger.urgent.clear()
            gevent.sleep(COMPANY_S)
