"""The plugin in a worker's process: it takes part in whatever run its master has."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.exception import StopTest
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING

from kiosk_locust import callbacks
from kiosk_locust.assembly.stop_reason import SIGTERM_GRACE_S
from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.clock import SystemClock
from kiosk_locust.config.sources import Layers
from kiosk_locust.distributed.master_connection import MasterConnection
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import RelayError
from kiosk_locust.execution.job import Interrupted
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.locust_patches import SafeWorkerRunner
from kiosk_locust.plugin.user import RUNS, KioskUser
from kiosk_locust.plugin.user_watch import Hosts, keep_jobs
from kiosk_locust.plugin.worker_part import WorkerPart

logger = logging.getLogger(__name__)


class WorkerPlugin:
    """Registers with Locust; a run begins with test_start and ends with the master's drain.

    ``layers`` are the settings of the worker's own operator.
    """

    def __init__(self, environment: Environment, runner: SafeWorkerRunner, layers: Layers) -> None:
        self._limits = WorkerLimits(layers)
        self._environment = environment
        self._runner = runner
        self._clock = SystemClock()
        self._part: WorkerPart | None = None  # it stays: replies must reach it until the end
        self._hosts = Hosts()

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
        register("kiosk_welcome", self._hearing(MasterConnection.on_welcome))
        register("kiosk_refusal", self._hearing(MasterConnection.on_refusal))
        register("kiosk_reply", self._hearing(MasterConnection.on_reply))
        gevent.signal_handler(signal.SIGINT, self._on_interrupt)
        locust_patches.start_heartbeat(self._runner)
        if self._runner.worker_state in (STATE_SPAWNING, STATE_RUNNING):
            self._on_test_start()  # joined in mid-run: Locust has fired the event before our time
        locust_patches.spare_tracebacks(Interrupted)  # of jobs dropped before they begin

    def _hearing(self, hear: Callable[[MasterConnection, object], None]) -> Callable[..., None]:
        """Wrap a handler as Locust calls it; unreadable messages are left out, and counted."""

        def on_message(msg: Message, **_: Any) -> None:
            if self._part is not None:
                try:
                    hear(self._part.connection, msg.data)
                except RelayError as error:
                    UNREAD.note("the master", error)

        return on_message

    def _on_interrupt(self) -> None:
        """Ctrl-C goes to all processes of a terminal: the master ends a run, where there is one.

        A master that gives up before the first one sends it to the workers that it forked.
        """
        if self._part is None:
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
        self._part = WorkerPart(
            self._environment, self._limits, self._clock, self._send, self._on_fault
        )
        RUNS[self._environment] = self._part.connection

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
        return self._part is not None and self._part.fail(why)

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
        if self._part is not None and not self._part.has_left:
            locust_patches.REPEATS.tell_rest()
            self._part.leave(grace_s)
