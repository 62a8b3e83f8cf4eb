"""The start of a run, when Locust starts a test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gevent.event import Event
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import STATE_INIT, Runner

from kiosk_locust.assembly.build_run import build_run
from kiosk_locust.assembly.controller import RunController
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.errors import KioskLocustError
from kiosk_locust.execution.run import Run
from kiosk_locust.monitoring.metrics_server import MetricsServer
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.exit_status import ExitStatus, refuse
from kiosk_locust.plugin.last_words import LastWords
from kiosk_locust.plugin.page import Page, TestStart
from kiosk_locust.plugin.run_host import LocustHost
from kiosk_locust.plugin.run_settings import RunSettings
from kiosk_locust.plugin.runs import Runs
from kiosk_locust.plugin.user import OVER, RUNS, mix_of
from kiosk_locust.plugin.user_watch import Hosts, UserWatch, check_tasks, keep_jobs

logger = logging.getLogger(__name__)


class RunStart:
    """Starts a run whenever Locust starts a test, by the settings that hold by then.

    ``is_ended`` tells if somebody has ended the process before the run is on.
    """

    def __init__(
        self,
        environment: Environment,
        runner: Runner,
        settings: RunSettings,
        *,
        runs: Runs,
        page: Page | None,
        words: LastWords,
        status: ExitStatus,
        is_ended: Callable[[], bool],
    ) -> None:
        self.of_test = TestStart()
        self.metrics = MetricsServer()
        self._environment = environment
        self._runner = runner
        self._settings = settings
        self._runs = runs
        self._page = page
        self._words = words
        self._status = status
        self._is_ended = is_ended
        self._hosts = Hosts()

    def on_test_start(self) -> None:
        """Start the run; whatever keeps it from that ends Locust's test, with a message."""
        self.of_test.begin()
        try:
            self._start()
        except Exception as error:
            if not isinstance(error, KioskLocustError):
                logger.exception("a fault of kiosk_locust")
            self._status.set(2)
            reason = error.public if self._page and isinstance(error, KioskLocustError) else error
            refusal = f"the run cannot start: {reason}"
            self._status.refusal = refusal
            self._runner.log_exception("local", refusal, "")  # for Locust's page
            if self._page is not None:
                self._page.show_refusal(refusal)
            if self._environment in OVER:
                refuse(refusal)
            raise StopTest(refusal) from None
        finally:
            self.of_test.end()

    def _start(self) -> None:
        self._runs.set_aside()
        request = self._request()
        run = RunController(
            build_run(request, LocustHost(self._environment), self._words.console),
            self._words.console,
        )
        if isinstance(run.context.run, Run):  # a master's users are at its workers
            RUNS[self._environment] = run.context.run
        self._runs.begin(run)
        self._show(run)
        run.start()
        UserWatch(self._environment, run.context.run.state).start()
        self._settings.forget_resumption()

    def _request(self) -> RunRequest:
        """The run that is wanted; raises KioskLocustError where nobody can carry it out."""
        settings, environment = self._settings, self._environment
        layers = settings.layers
        if self._page is not None:
            if not settings.is_library:
                self._page.take_form()
            layers = settings.with_form(vars(environment.parsed_options))
        if environment in OVER:
            OVER[environment] = Event()
            self._runner.update_state(STATE_INIT)  # a second call: the first one has stopped it
            settings.take_class_host()
        self._status.check_caller()
        BREAKER.forget()
        options = settings.resolve(layers, tell=True)
        keep_jobs(environment)
        check_tasks(environment)
        self._words.open_log(options)
        secrets = settings.logins.for_run(options, layers, settings.resumption)
        return RunRequest(
            options,
            mix=mix_of(environment.user_classes, options),
            first_jobs=settings.first_requests(options),
            secrets=secrets,
            tally=settings.tally,
            resumed=settings.resumption,
            is_ended=self._is_ended,
            may_be_resumed=settings.is_resume_asked_for,
        )

    def _show(self, run: RunController) -> None:
        """Have the run seen by workers, users, and whoever looks at its page or its metrics."""
        context = run.context
        observers, url = context.observers, context.kiosk.url
        self.metrics.current = observers.exposition
        self._hosts.give(self._settings.other_classes, url)
        parsed: Any = self._environment.parsed_options
        parsed.kiosk_url = url  # Locust sends it to workers
        self._status.set(2)  # until the run says better
        if self._page is not None:
            self._page.show_run(observers.live, context.run.ledger.path.parent)
