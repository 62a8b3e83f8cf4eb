"""The plugin in a worker's process: it takes part in whatever run its master has."""

from __future__ import annotations

import json
import logging
import random
import signal
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import StopTest
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.stats import RequestStats

from kiosk_locust import callbacks
from kiosk_locust.assembly.stop_reason import SIGTERM_GRACE_S
from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.client import proxies
from kiosk_locust.client.call_failures import EARLY_S, CallFailures
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import SystemClock
from kiosk_locust.config.resolve import options_of_worker
from kiosk_locust.config.sources import Layers
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.distributed.worker import WorkerEnd
from kiosk_locust.distributed.worker_run import RemoteShare
from kiosk_locust.distributed.worker_session import Link
from kiosk_locust.errors import (
    BucketError,
    InputError,
    KioskLocustError,
    PreflightError,
    RelayError,
    WorkerError,
)
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.gc_tuning import calm
from kiosk_locust.execution.job import Interrupted
from kiosk_locust.formatting import quoting
from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Record
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.process import Watch
from kiosk_locust.monitoring.tracing import spans_if_on
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.locust_patches import SafeWorkerRunner
from kiosk_locust.plugin.request_event import tell_of_request
from kiosk_locust.plugin.request_stats import LocustStatistics
from kiosk_locust.plugin.stat_batches import Tallies
from kiosk_locust.plugin.user import RUNS, KioskUser
from kiosk_locust.plugin.user_watch import Hosts, UserWatch, keep_jobs
from kiosk_locust.storage.transfers.movers import Movers, movers

logger = logging.getLogger(__name__)

#: How long a worker that ends waits for its last words to be heard.
LAST_WORDS_S = 10.0


class ShiftedClock:
    """The master's time, by this machine's clock and how far it is off."""

    def __init__(self, own: SystemClock, by_s: float) -> None:
        self._own = own
        self._by_s = by_s

    def now(self) -> float:
        """Seconds since the epoch, as the master counts them."""
        return self._own.now() + self._by_s

    def sleep(self, seconds: float) -> None:
        """Let other greenlets run for ``seconds``."""
        self._own.sleep(seconds)

    def wait(self, event: Event, seconds: float) -> bool:
        """Sleep, but at most until ``event`` is set; whether it is."""
        return self._own.wait(event, seconds)


class WorkerStatistics(LocustStatistics):
    """Leaves out jobs that end here but not in the run: ``is_returned`` tells which."""

    def __init__(
        self, stats: RequestStats, tallies: Tallies, is_returned: Callable[[Record], bool]
    ) -> None:
        super().__init__(stats, tallies)
        self._is_returned = is_returned

    def on_closed(self, record: Record, measures: Measures) -> None:
        """Log one job, unless another worker will."""
        if not self._is_returned(record):
            super().on_closed(record, measures)


class WorkerPlugin:
    """Registers with Locust; a run begins with test_start and ends with the master's drain.

    ``layers`` are the settings of the worker's own operator.
    """

    def __init__(self, environment: Environment, runner: SafeWorkerRunner, layers: Layers) -> None:
        self._limits = WorkerLimits(layers)
        self._environment = environment
        self._runner = runner
        self._clock = SystemClock()
        self._link: Link | None = None
        self._left: Link | None = None
        self._closers: list[Callable[[], None]] = []
        self._hosts = Hosts()
        self._failed_early = ""  # why users' code ended the run before this worker's part began

    def register(self) -> None:
        """Attach every listener."""
        self._environment.process_exit_code = 0
        hooks = self._environment.events
        BREAKER.listen(hooks.user_error)
        self._runner.on_end_called = self._on_end_called
        callbacks.on_end(self._on_end_raised, StopTest)
        hooks.test_start.add_listener(self._on_test_start)
        hooks.test_stopping.add_listener(self._on_test_stopping)
        hooks.quitting.add_listener(self._on_quitting)
        register = self._runner.register_message
        register("kiosk_welcome", self._hearing(lambda link, data: link.on_welcome(data)))
        register("kiosk_refusal", self._hearing(lambda link, data: link.on_refusal(data)))
        register("kiosk_reply", self._hearing(lambda link, data: link.on_reply(data)))
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        locust_patches.start_heartbeat(self._runner)
        if self._runner.worker_state in (STATE_SPAWNING, STATE_RUNNING):
            self._on_test_start()  # joined in mid-run: Locust has fired the event before our time
        locust_patches.spare_tracebacks(Interrupted)  # of jobs dropped before they begin

    def _hearing(self, hear: Callable[[Link, object], None]) -> Callable[..., None]:
        """Wrap a handler as Locust calls it; unreadable messages are left out, and counted."""

        def on_message(msg: Message, **_: Any) -> None:
            if self._link:
                try:
                    hear(self._link, msg.data)
                except RelayError as error:
                    UNREAD.note("the master", error)

        return on_message

    def _on_interrupt(self) -> None:
        """Ctrl-C goes to all processes of a terminal: the master ends a run, where there is one.

        A master that gives up before the first one sends it to the workers that it forked.
        """
        if self._link is None:
            signal.raise_signal(signal.SIGTERM)
        else:
            logger.info("Ctrl-C: the master ends the run")

    def _on_test_start(self, **_: Any) -> None:
        self._leave(0.0)
        keep_jobs(self._environment)
        url = getattr(self._environment.parsed_options, "kiosk_url", "")
        if url:
            classes = self._environment.user_classes
            self._hosts.give((c for c in classes if not issubclass(c, KioskUser)), url)
        self._failed_early = ""
        self._link = Link(self._send, self._clock.now, self._make, self._on_fault)
        RUNS[self._environment] = self._link

    def _make(self, end: WorkerEnd) -> RemoteShare:
        link = self._link
        if link is None or link.welcome_facts is None:
            raise RuntimeError("welcome before hello")
        facts = link.welcome_facts.facts
        options = _options(facts)
        mix = Mix.from_text(facts["user_classes"], options.arrival_seed)
        fault = self._lacks(mix)
        try:
            options = self._limits.applied(options, facts)
        except (BucketError, InputError, PreflightError) as error:
            fault = error
        clock = ShiftedClock(self._clock, end.skew.seconds)
        watch = Watch(clock)
        watch.start(link.welcome_facts.zero_at)
        end.figures, end.on_reply = watch.figures, watch.on_reply

        tallies = Tallies(self._environment.stats)

        def on_request(sample: RequestSample) -> None:
            watch.on_request(sample)
            tell_of_request(self._environment, sample, tallies)

        proxies.warn_of_unused(facts["host"])
        transport = Transport(
            facts["host"],
            pool_size=options.pool_size,
            request_timeout_s=options.request_timeout_s,
            clock=clock,
            on_request=on_request,
        )
        calls = CallFailures(clock, told_after_s=EARLY_S)
        end.troubles = calls.look  # a worker's own terminal is not looked at
        kiosk = Kiosk(transport, calls)
        moving = Movers()
        try:
            if fault is None:
                moving = movers(
                    options, kiosk, clock, random.Random(), facts["run_name"], calls=calls
                )
        except BucketError as error:
            fault = error
        bus = JobBus()
        share = RemoteShare(
            end,
            options=options,
            bus=bus,
            kiosk=kiosk,
            clock=clock,
            own_clock=self._clock.now,
            on_fault=self._on_fault,
            mix=mix,
            uploader=self._limits.guarded(moving.uploader, options.transfers),
            downloads=moving.downloads,
        )
        share.ledger.keep_account(self._limits.place_of_account(facts), options.pool_size)
        statistics = WorkerStatistics(self._environment.stats, tallies, share.ledger.is_returned)
        bus.add(statistics, is_essential=True)
        if spans := spans_if_on(self._environment.parsed_options):
            spans.start()
            self._closers.append(spans.stop)
            bus.add(spans)
            gevent.spawn(otel.warn_if_away, self._environment.parsed_options)
        self._closers += [
            tallies.start(),
            calm(),
            watch.stop,
            moving.close,
            share.ledger.close,
            transport.close,
        ]
        if fault is not None:
            share.fail(fault)
        elif self._failed_early:
            share.fail(WorkerError(self._failed_early))
        UserWatch(self._environment, share).start()
        logger.info(
            "this worker takes part; its clock is %.3f s off, give or take %.3f s",
            end.skew.seconds,
            end.skew.bound_s,
        )
        return share

    def _lacks(self, mix: Mix) -> KioskLocustError | None:
        """The error where this worker has not all user classes of the run."""
        own = {user_class.__name__ for user_class in self._environment.user_classes}
        missing = [name for name, _ in mix.parts if name not in own]
        if not missing:
            return None
        return PreflightError(
            f"its locustfile, or its command line, leaves out {', '.join(missing)}, which the run"
            " has jobs of: start workers with the locustfile and the classes of their master"
        )

    def _on_end_called(self, name: str, end: Callable[[], None]) -> None:
        """Users' code called runner.stop() or quit() here: the run is ended, by the master."""
        if not self._fail(f"{name} was called"):
            gevent.spawn(end)

    def _on_end_raised(self, place: str, error: BaseException) -> bool:
        """Users' code raised what ends a process or a test."""
        if not self._fail(f"{place} raised {callbacks.describe(error)}"):
            gevent.spawn(self._runner.quit)
        return True

    def _fail(self, why: str) -> bool:
        """End the run everywhere, for that reason; False where there is none."""
        link = self._link
        if link is None or link is self._left:
            return False
        if link.share is None:  # its users run, and it has not been welcomed yet
            self._failed_early = self._failed_early or why
            return True
        was_on = link.share.is_on
        if was_on:
            link.share.fail(WorkerError(why))
        return was_on

    def _on_fault(self) -> None:
        self._environment.process_exit_code = 2

    def _send(self, kind: str, data: Any) -> None:
        try:
            self._runner.send_message(kind, data)
        except Exception as error:  # noqa: BLE001  it is sent again
            logger.warning("a message to the master could not be sent: %s", error)

    def _on_test_stopping(self, **_: Any) -> None:
        """Mostly all is over by now; if the master has gone, what was not told is lost to it."""
        self._leave(0.0)

    def _on_quitting(self, **_: Any) -> None:
        self._leave(SIGTERM_GRACE_S)

    def _leave(self, grace_s: float) -> None:
        link = self._link  # it stays: replies must reach it until the end
        if link is None or link is self._left:
            return
        self._left = link
        locust_patches.REPEATS.tell_rest()
        if link.share is not None:
            if not grace_s:
                link.share.give_up()  # an end that goes on waits for answers that will not come
            link.share.drain("its worker's end", grace_s)
            # Locust's listener may be the one that calls: then no answer can come any more.
            link.close(LAST_WORDS_S if grace_s else 0.0)
        while self._closers:
            self._closers.pop()()


def _options(facts: Mapping[str, str]) -> Options:
    """The master's options; what only the master needs of them has its default.

    Whether messages quote answers is the same in this process from then on.
    """
    quoting.set_on(json.loads(facts.get(quoting.FACT, "true")))
    return options_of_worker(json.loads(facts["options"]))
