"""Ends of a run by users' code: a call of the runner, or an exception that ends a test."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from locust.env import Environment
from locust.exception import StopTest

from kiosk_locust import callbacks
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.exit_status import ExitStatus
from kiosk_locust.plugin.locust_patches import SafeLocalRunner
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.page import TestStart
from kiosk_locust.plugin.runs import Runs

logger = logging.getLogger(__name__)


class UserEnds:
    """Listens to what users' code does to end a run; ``is_headless``: nobody starts another."""

    def __init__(
        self,
        environment: Environment,
        runner: SafeLocalRunner | PatientMaster,
        runs: Runs,
        status: ExitStatus,
        start_of_test: TestStart,
        *,
        is_headless: bool,
        is_library: bool,
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._runs = runs
        self._status = status
        self._start_of_test = start_of_test
        self._is_headless = is_headless
        self._is_library = is_library

    def listen(self) -> None:
        """Hear of each end, wherever users' code is called from."""
        self._runner.on_end_called = self._on_called
        self.listen_to_raised()
        locust_patches.spare_tracebacks(StopTest)

    def listen_to_raised(self) -> None:
        """Hear of exceptions; of several environments, that of the run which is on does."""
        callbacks.on_end(self._on_raised, StopTest)

    def _on_called(self, name: str, end: Callable[[], None]) -> None:
        """Users' code called runner.stop() or quit() where it must not wait."""
        self._note(name)
        gevent.spawn(self._carry_out, end)

    def _carry_out(self, end: Callable[[], None]) -> None:
        try:
            end()
        finally:
            if self._is_headless and not self._runner.is_quitting:
                self._runner.quit()

    def _on_raised(self, place: str, error: BaseException) -> bool:
        """Users' code raised what ends a process or a test; False where no run is on."""
        if self._is_library and self._runs.is_over and not self._start_of_test.is_on:
            return False  # it is the program's own affair
        shown = callbacks.describe(error)
        logger.error("%s raised %s: the run is ended", place, shown)
        self._note(f"{shown} raised in {place}")
        code = error.code if isinstance(error, SystemExit) else None
        if isinstance(code, int) and code:
            self._environment.process_exit_code = code
        is_of_test = isinstance(error, StopTest)
        gevent.spawn(self._runs.stop_locust if is_of_test else self._runs.quit)
        return True

    def _note(self, caller: str) -> None:
        self._status.note_caller(caller, is_run_begun=self._runs.current is not None)
        self._runs.on_called()
