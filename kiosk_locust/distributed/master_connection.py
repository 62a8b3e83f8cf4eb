"""A worker's connection to its master: it says hello until it is welcome, and then reports."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group

from kiosk_locust.codec import decode, decode_any_version, encode
from kiosk_locust.distributed import clock_skew, versions
from kiosk_locust.distributed.clock_skew import Skew
from kiosk_locust.distributed.messages import Drain, Fenced, Refusal, Reply, Welcome
from kiosk_locust.distributed.versions import Version
from kiosk_locust.distributed.worker_protocol import Order, WorkerProtocol
from kiosk_locust.distributed.worker_run import WorkerRun
from kiosk_locust.errors import KioskLocustError, RelayError
from kiosk_locust.execution.executor import RequestFor
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Record

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


class MasterConnection:
    """Says hello until it is welcome, has ``build`` make its part of the run, and then reports.

    ``build`` raises KioskLocustError where this worker cannot take part; its master hears why.
    ``on_fault`` is called then, and where it is refused.
    """

    def __init__(
        self,
        send: Send,
        own_clock: Callable[[], float],
        build: Callable[[Welcome, Skew], WorkerRun],
        on_fault: Callable[[], None],
    ) -> None:
        self.ready = Event()
        self.run: WorkerRun | None = None
        self._send = send
        self._now = own_clock
        self._build = build
        self._on_fault = on_fault
        self._is_refused = False
        self._is_welcome = False
        self._protocol: WorkerProtocol | None = None  # once its part is made, or cannot be
        self._asked: set[float] = set()
        self._building = Group()
        self._greenlets = Group()
        self._greenlets.spawn(self._serve)

    @property
    def options(self) -> Options:
        """The run's."""
        self.ready.wait()
        assert self.run is not None  # noqa: S101  set before it is ready
        return self.run.options

    def work(self, request_for: RequestFor) -> None:
        """What a user does, once the run is known."""
        self.ready.wait()
        if self.run:
            self.run.work(request_for)

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
        if self._protocol is not None:
            self._obey(self._protocol.welcome(welcome))
        elif not self._is_welcome:
            self._is_welcome = True
            self._building.spawn(self._begin, welcome, clock_skew.measure(welcome, arrived_at))

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

    def _begin(self, welcome: Welcome, skew: Skew) -> None:
        try:
            self.run = self._build(welcome, skew)
        except KioskLocustError as error:
            logger.error("the run cannot go on: %s", error)  # noqa: TRY400  it says what to do
            self._stay_out(WorkerProtocol(welcome, skew), str(error))
        except Exception as error:
            logger.exception("a fault of kiosk_locust: this worker cannot take part")
            self._stay_out(WorkerProtocol(welcome, skew), f"a fault of kiosk_locust: {error!r}")
        else:
            self._protocol = self.run.protocol
            self.ready.set()

    def _stay_out(self, protocol: WorkerProtocol, trouble: str) -> None:
        protocol.fail(trouble)
        protocol.finish()
        self._protocol = protocol
        self._on_fault()

    def on_reply(self, data: object) -> None:
        """The master answers a report; raises RelayError for what is no reply."""
        if self._protocol is None:
            return
        self._obey(self._protocol.receive(decode(Reply, data), self._now()))
        if self.run is not None:
            self.run.came()

    def _obey(self, orders: list[Order]) -> None:
        if self.run is None:
            return
        for order in orders:
            match order:
                case Record():
                    self.run.adopt(order)
                case Fenced():
                    self.run.drop()
                case Drain(ended_by, grace_s):
                    if grace_s == 0:
                        self.run.state.give_up()
                    gevent.spawn(self.run.drain, ended_by, grace_s)

    def close(self, timeout_s: float) -> None:
        """Wait until all is told and the master knows that it was all, and go.

        A worker that goes before counts as lost there: tickets may be on their way to it.
        """
        self._building.kill()  # what was made later would be nobody's to drain
        until = self._now() + timeout_s
        drained_at: float | None = None
        while (held := self._protocol) and held.is_expected and self._now() < until:
            if not held.is_drained:
                drained_at = None
            elif drained_at is None:
                drained_at = self._now()
            elif self._now() - drained_at >= DISMISSAL_S:
                break
            gevent.sleep(TURN_S)
        gevent.sleep(2 * TURN_S)  # without time to wait: the report that says so
        self._greenlets.kill()

    def _serve(self) -> None:
        asked_at = -1e9
        quiet_until = self._now() + UNANSWERED_S
        while True:
            now = self._now()
            if self._is_to_say_hello and now - asked_at >= HELLO_S:
                asked_at = now
                self._asked.add(now)
                self._send("kiosk_hello", encode(versions.hello(now)))
                if not self._is_welcome and now >= quiet_until:
                    quiet_until = now + UNANSWERED_S
                    logger.warning(
                        "the master has not answered for %g s: it may run an older version of"
                        " kiosk_locust than this worker, which runs %s",
                        *(UNANSWERED_S, versions.own()),
                    )
            if self._protocol is not None:
                report = self._protocol.report(now, self.run.tickets.takers if self.run else 0)
                if report:
                    self._send("kiosk_report", encode(report))
            self._rest()

    @property
    def _is_to_say_hello(self) -> bool:
        if self._protocol is not None:
            return not (self._protocol.session or self._protocol.is_dismissed)
        return not (self._is_welcome or self._is_refused)

    def _rest(self) -> None:
        """Wait for the next look, or for an urgent event and a moment for company."""
        if self.run is None:
            gevent.sleep(TURN_S)
        elif self.run.log.wait_for_urgent(TURN_S):
            gevent.sleep(COMPANY_S)
