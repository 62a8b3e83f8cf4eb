"""The plugin in one Locust environment: begins runs, ends them, and sets the exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.stats import CSV_STATS_INTERVAL_SEC
from locust.web import WebUI

from kiosk_locust.assembly.signals import Signals
from kiosk_locust.model.options import Options
from kiosk_locust.monitoring import otel
from kiosk_locust.plugin import locust_patches, startup
from kiosk_locust.plugin.exit_status import NOT_CARRIED_OUT, ExitStatus
from kiosk_locust.plugin.last_words import LastWords
from kiosk_locust.plugin.locust_patches import SafeLocalRunner
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.page import Page
from kiosk_locust.plugin.run_settings import RunSettings
from kiosk_locust.plugin.run_start import RunStart
from kiosk_locust.plugin.runs import Runs
from kiosk_locust.plugin.user import OVER
from kiosk_locust.plugin.user_ends import UserEnds
from kiosk_locust.verdict.exit_code import BROKE_AT_END, SET_BY_OTHERS, status

logger = logging.getLogger(__name__)

#: So long is left of a wait for workers that somebody ends; 0 would be no end.
_AT_ONCE_S = 1e-9


class Plugin:
    """The plugin in one Locust environment, with the settings of whoever started the process."""

    def __init__(
        self,
        environment: Environment,
        runner: SafeLocalRunner | PatientMaster,
        settings: RunSettings,
        web_ui: WebUI | None,
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._settings = settings
        self._headless = web_ui is None
        self._is_library = settings.is_library
        self._page = Page(web_ui) if web_ui is not None else None
        self._exit = ExitStatus(environment)
        self._words = LastWords(self._exit, headless=self._headless, is_library=settings.is_library)
        self._signals = Signals(self._on_first_signal, self._on_second_signal)
        self._runs = Runs(
            environment,
            runner,
            self._page,
            status=self._exit,
            words=self._words,
            signals=self._signals,
        )
        self._start = RunStart(
            environment,
            runner,
            settings,
            runs=self._runs,
            page=self._page,
            words=self._words,
            status=self._exit,
            is_ended=lambda: self._signals.first is not None,
        )
        self._ends = UserEnds(
            environment,
            runner,
            self._runs,
            self._exit,
            self._start.of_test,
            is_headless=self._headless,
            is_library=settings.is_library,
        )

    @property
    def form_defaults(self) -> dict[str, str]:
        """The values that the start form shows; none for a program without a web UI."""
        is_shown = not (self._headless and self._is_library)
        return self._settings.form_defaults if is_shown else {}

    @property
    def _parsed(self) -> Any:
        return self._environment.parsed_options

    # -- once a process

    def register(self) -> None:
        """Check the settings and attach every listener; raises OptionsError and LedgerError.

        Without a web UI all must be right by now; with one, the form may still mend it, but
        not where a run is to be resumed. A run that has no job left ends the process here.
        """
        settings = self._settings
        settings.check_files()
        run = settings.find_run()
        if run is not None:
            sys.exit(startup.finish(run, settings, self._words))
        starts = self._headless or self._parsed.autostart
        self._start.of_test.is_on = starts  # until Locust says so itself, a moment from now
        options = settings.first_options(self._parsed, starts=starts)
        startup.warn(settings, self._page, self._parsed)
        startup.prepare_locust(self._environment, options, self._words)
        if self._headless and not self._is_library and self._environment not in OVER:
            self._exit.set(2)  # until a run says better: without one nothing is carried out
        self._listen()
        if starts:
            startup.tell_of_wait(self._environment)
        self._serve_pages(options)
        if not self._is_library:  # a program's signals are its own
            self._signals.install()
        self._ends.listen()
        # Locust sets its timer for -t next, by a time that gevent read before all the imports.
        gevent.get_hub().loop.update_now()

    def _listen(self) -> None:
        hooks = self._environment.events
        hooks.test_start.add_listener(self._if_mine(self._start.on_test_start))
        hooks.test_stopping.add_listener(self._if_mine(self._runs.on_test_stopping))
        hooks.test_stop.add_listener(self._if_mine(self._runs.on_test_stop))
        hooks.quitting.add_listener(self._if_mine(self._on_quitting))
        locust_patches.listen_last(hooks.quitting, self._if_mine(self._on_last_of_quitting))
        hooks.quit.add_listener(self._on_quit)

    def _if_mine(self, listener: Callable[[], None]) -> Callable[..., None]:
        """Leave out what concerns another environment: events may be shared by several."""

        def listen(environment: Environment | None = None, **_: Any) -> None:
            if environment is None or environment is self._environment:
                listener()

        return listen

    def _serve_pages(self, options: Options) -> None:
        if self._page is not None:
            self._page.add(
                self._runner,
                start=self._start.of_test,
                check_form=self._check_form,
                start_refusal=self._start_refusal,
                output_dir=options.output_dir,
                outside=options.outside,
                secret_sources=self._settings.logins.sources,
            )
        if not options.outside.metrics:
            return
        web_ui = self._environment.web_ui
        if self._page is not None and web_ui is not None:
            self._start.metrics.add_to(web_ui)
        else:
            self._start.metrics.listen(options.outside)

    def started_with(self, user_count: int, spawn_rate: float) -> None:
        """A program starts the test with so many users; a number that changes later is Locust's."""
        if self._runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return
        self._ends.listen_to_raised()  # of the run that is on
        self._settings.started_with(user_count, spawn_rate)

    # -- the start form

    def _check_form(self, posted: dict[str, str]) -> None:
        """Raise KioskLocustError for a start form that a run cannot start from."""
        picks = self._page is not None and self._page.picks_classes
        self._settings.check_form(posted, picks_classes=picks)
        self._exit.refusal = ""
        self._start.of_test.over.clear()

    def _start_refusal(self, within_s: float) -> str:
        """The reason why the start that the form asked for was refused; empty where it was not.

        Locust begins a test in the greenlet that the form's answer spawns, or in one that this
        one spawns.
        """
        over = self._start.of_test.over
        limit = gevent.Timeout.start_new(within_s)
        try:
            for greenlet in self._page.starting(self._runner) if self._page else ():
                if not over.is_set():
                    gevent.wait([over, greenlet], count=1)
        except gevent.Timeout as timeout:
            if timeout is not limit:
                raise
        finally:
            limit.close()
        return self._exit.refusal if over.is_set() else ""

    # -- the end of the process

    def _on_quitting(self) -> None:
        self._runs.on_quitting()
        if self._parsed.csv_prefix:
            # Locust writes its CSV files that often, and not once more at the end.
            gevent.sleep(CSV_STATS_INTERVAL_SEC + 0.1)

    def _on_last_of_quitting(self) -> None:
        """A check in users' code that broke while Locust ended must not look like a passed one."""
        if self._runs.current is not None and locust_patches.has_dead_greenlets():
            self._exit.fault_at_end = BROKE_AT_END
            self._exit.set(2)

    def _on_quit(self, exit_code: int | None = None, **_: Any) -> None:
        """After all that Locust prints, the last words are ours, with the code that it told."""
        if otel.is_on(self._parsed):
            otel.end()
        if exit_code is not None and not self._is_library:
            run = self._runs.current
            if run is not None:
                self._start.metrics.linger(run.options.outside.linger_s)
            why = self._exit.fault_at_end or SET_BY_OTHERS
            self._words.of_process(run, status(exit_code), why)

    def give_up(self, why: str) -> int:
        """Locust's main gives up: write what there is, and say so in the last line; the code."""
        self._runs.stop()
        self._runs.join()
        if self._runs.current is None:
            self._exit.refusal = self._exit.refusal or f"{NOT_CARRIED_OUT}: {why}"
        self._words.of_process(self._runs.current, 2, why)
        return 2

    # -- signals

    def _on_first_signal(self) -> None:
        if self._start.metrics.hurry():
            return  # the run is over, and nothing else was waited for
        name = self._signals.name
        logger.warning("%s: the run is ended; once more to wait no longer", name)
        if self._runs.current is None and self._start.of_test.is_on:
            self._exit.refuse_run(f"interrupted by {name} before the first job")
            self._parsed.expect_workers_max_wait = _AT_ONCE_S  # Locust's main may wait for workers
        self._runs.on_signal()
        gevent.spawn(self._runs.quit)

    def _on_second_signal(self) -> None:
        logger.warning("waiting no longer for jobs in flight; everything is still written")
        self._runs.on_signal()
