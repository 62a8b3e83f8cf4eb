"""A worker's part in one run, within Locust: from its first hello to its last words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import gevent
from locust.env import Environment

from kiosk_locust.assembly.build_worker_run import WorkerProcess, build_worker_run
from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.clock_skew import Skew
from kiosk_locust.distributed.master_connection import MasterConnection
from kiosk_locust.distributed.messages import Welcome
from kiosk_locust.distributed.worker_run import WorkerRun
from kiosk_locust.errors import WorkerError
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.tracing import spans_if_on
from kiosk_locust.plugin.request_event import tell_of_request
from kiosk_locust.plugin.request_stats import WorkerStatistics
from kiosk_locust.plugin.stat_batches import Tallies
from kiosk_locust.plugin.user_watch import UserWatch

logger = logging.getLogger(__name__)

#: How long a worker that ends waits for its last words to be heard, in seconds.
LAST_WORDS_S = 10.0


class WorkerPart:
    """Takes part in whatever run the master has.

    ``clock`` is the process's own; ``send`` sends a message of a kind to the master; ``on_fault``
    is called where the run cannot go on here.
    """

    def __init__(
        self,
        environment: Environment,
        limits: WorkerLimits,
        clock: Clock,
        send: Callable[[str, Any], None],
        on_fault: Callable[[], None],
    ) -> None:
        self._environment = environment
        self._limits = limits
        self._clock = clock
        self._on_fault = on_fault
        self._tallies = Tallies(environment.stats)
        self._resources = ExitStack()
        self.has_left = False
        self._failed_early = ""  # why users' code ended the run before its part here was built
        self.connection = MasterConnection(send, clock.now, self._build, on_fault)

    def fail(self, why: str) -> bool:
        """End the run everywhere, for that reason; False where it is over here."""
        run = self.connection.run
        if self.has_left or (run is not None and not run.state.is_on):
            return False
        if run is None:  # its users run, and it has not been welcomed yet
            self._failed_early = self._failed_early or why
        else:
            run.state.fail(WorkerError(why))
        return True

    def leave(self, grace_s: float) -> None:
        """Let jobs in flight end within ``grace_s``, have the master hear all, and close."""
        if self.has_left:
            return
        self.has_left = True
        if (run := self.connection.run) is not None:
            if not grace_s:
                run.state.give_up()  # an end that goes on waits for answers that will not come
            run.drain("its worker's end", grace_s)
        # Locust's listener may be the one that calls: then no answer can come any more.
        self.connection.close(LAST_WORDS_S if grace_s else 0.0)
        self._resources.close()

    def _build(self, welcome: Welcome, skew: Skew) -> WorkerRun:
        """Make what takes part; raises KioskLocustError where this worker cannot."""
        process = WorkerProcess(
            self._limits,
            self._clock,
            frozenset(user_class.__name__ for user_class in self._environment.user_classes),
            self._on_request,
            self._on_fault,
        )
        context = build_worker_run(welcome, skew, process)
        self._resources.push(context.resources)
        statistics = WorkerStatistics(
            self._environment.stats, self._tallies, context.run.log.is_returned
        )
        context.bus.add(statistics, is_essential=True)
        options = self._environment.parsed_options
        if spans := spans_if_on(options):
            spans.start(0.0)
            self._resources.callback(spans.stop)
            context.bus.add(spans)
            gevent.spawn(otel.warn_if_away, options)
        self._tallies.start()
        self._resources.callback(self._tallies.stop)
        if self._failed_early:
            context.run.state.fail(WorkerError(self._failed_early))
        UserWatch(self._environment, context.run.state).start()
        logger.info(
            "this worker takes part; its clock is %.3f s off, give or take %.3f s",
            skew.seconds,
            skew.bound_s,
        )
        return context.run

    def _on_request(self, sample: RequestSample) -> None:
        tell_of_request(self._environment, sample, self._tallies)
