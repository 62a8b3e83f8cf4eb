"""The plugin in one Locust environment: begins runs, ends them, and sets the exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING
from locust.stats import CSV_STATS_INTERVAL_SEC
from locust.web import WebUI

from kiosk_locust import callbacks
from kiosk_locust.assembly import already_finished
from kiosk_locust.assembly.controller import ActiveRun
from kiosk_locust.assembly.resume import Finished, Unfinished
from kiosk_locust.assembly.signals import Signals
from kiosk_locust.assembly.stop_reason import ending
from kiosk_locust.config.sources import Layers
from kiosk_locust.errors import KioskLocustError
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.model.options import Options
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.metrics_server import Scraped
from kiosk_locust.plugin import locust_patches, web_login
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.dispatcher import AtOnceDispatcher
from kiosk_locust.plugin.exit_status import NOT_CARRIED_OUT, ExitStatus, refuse
from kiosk_locust.plugin.locust_patches import SafeLocalRunner
from kiosk_locust.plugin.log_file import close_log, open_log
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.page import Page, TestStart
from kiosk_locust.plugin.run_settings import RunSettings
from kiosk_locust.plugin.user import OVER, RUNS, mix_of
from kiosk_locust.plugin.user_watch import Hosts, UserWatch, check_tasks, keep_jobs
from kiosk_locust.verdict.exit_code import BROKE_AT_END, SET_BY_OTHERS, overruled, status

logger = logging.getLogger(__name__)

#: So long is left of a wait for workers that somebody ends; 0 would be no end.
_AT_ONCE_S = 1e-9


class Plugin:
    """The plugin in one Locust environment.

    ``layers`` are the settings of whoever started the process, ``dotenv`` what stood in ``.env``.
    """

    def __init__(
        self,
        environment: Environment,
        runner: SafeLocalRunner | PatientMaster,
        layers: Layers,
        dotenv: Mapping[str, str],
        web_ui: WebUI | None,
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._settings = RunSettings(environment, layers, dotenv, headless=web_ui is None)
        self._page = Page(web_ui) if web_ui is not None else None
        self._hosts = Hosts()
        self._exit = ExitStatus(environment)
        self._start_of_test = TestStart()
        self._active: ActiveRun | None = None
        self._ending: gevent.Greenlet | None = None
        self._earlier: list[tuple[ActiveRun, gevent.Greenlet]] = []  # runs that still end
        self._scraped = Scraped()
        self._log: logging.Handler | None = None
        self._console = plain_console(stderr=True)
        self._signals = Signals(self._on_first_signal, self._on_second_signal)

    @property
    def _headless(self) -> bool:
        return self._page is None

    @property
    def _is_library(self) -> bool:
        return self._settings.is_library

    @property
    def form_defaults(self) -> dict[str, str]:
        """The values that the start form shows; none for a program without a web UI."""
        is_shown = not (self._headless and self._is_library)
        return self._settings.form_defaults if is_shown else {}

    # -- once a process

    def register(self) -> None:
        """Check the settings and attach every listener; raises OptionsError and LedgerError.

        Without a web UI all must be right by now; with one, the form may still mend it, but
        not where a run is to be resumed.
        """
        self._settings.check_files()
        self._find_run()
        starts = self._headless or self._parsed.autostart
        self._start_of_test.is_on = starts  # until Locust says so itself, a moment from now
        options = self._settings.first_options(self._parsed, starts=starts)
        self._warn()
        self._prepare_locust(options)
        self._listen()
        self._tell_of_wait(starts=starts)
        if self._page is not None:
            self._page.add(
                self._runner,
                start=self._start_of_test,
                check_form=self._check_form,
                start_refusal=self._start_refusal,
                output_dir=options.output_dir,
                outside=options.outside,
                secret_sources=self._settings.secret_sources,
            )
        if options.outside.metrics:
            self._serve_metrics(options)
        if not self._is_library:  # a program's signals are its own
            self._signals.install()
        callbacks.on_end(self._on_end_raised, StopTest)
        locust_patches.spare_tracebacks(StopTest)
        # Locust sets its timer for -t next, by a time that gevent read before all the imports.
        gevent.get_hub().loop.update_now()

    def _listen(self) -> None:
        hooks = self._environment.events
        BREAKER.listen(hooks.user_error)
        hooks.test_start.add_listener(self._if_mine(self._on_test_start))
        hooks.test_stopping.add_listener(self._if_mine(self._on_test_stopping))
        hooks.test_stop.add_listener(self._if_mine(self._on_test_stop))
        hooks.quitting.add_listener(self._if_mine(self._on_quitting))
        locust_patches.listen_last(hooks.quitting, self._if_mine(self._on_last_of_quitting))
        hooks.quit.add_listener(self._on_quit)
        self._runner.on_end_called = self._on_end_called

    def _warn(self) -> None:
        """Log a line for each thing that lies open to others."""
        has_login = self._page is not None and self._parsed.web_login
        warnings = self._settings.warnings(has_login=has_login, password=web_login.PASSWORD)
        page = self._page.warning if self._page else ""
        for line in filter(None, (*warnings, page)):
            logger.warning("%s", line)

    def _serve_metrics(self, options: Options) -> None:
        web_ui = self._environment.web_ui
        if self._page is not None and web_ui is not None:
            self._scraped.add_to(web_ui)
        else:
            self._scraped.listen(options.outside)

    def _find_run(self) -> None:
        """Look for the run to go on with; one that has no job left ends the process here."""
        run = self._settings.find_run()
        if run is not None:
            sys.exit(self._has_no_job_left(run))

    def _has_no_job_left(self, run: Finished | Unfinished) -> int:
        """Tell the exit code of a run, once its finish lacks nothing; raises as `register`."""
        if isinstance(run, Finished):
            return already_finished.tell(run, self._console).code
        options = self._settings.resolve(self._settings.layers, tell=False)
        self._open_log(options)

        def on_signal(hurry: Callable[[], None]) -> None:
            if not self._is_library:  # a program's signals are its own
                Signals(hurry, hurry).install()

        bound = self._settings.logins_for(options, self._settings.layers)
        verdict = already_finished.make_up(run, options, self._console, bound, on_hurry=on_signal)
        self._log_line(verdict.line)
        return verdict.code

    def _tell_of_wait(self, *, starts: bool) -> None:
        """Have a master that waits for workers without a limit say how to set one."""
        is_bound = bool(self._parsed.expect_workers_max_wait)
        if starts and not is_bound and isinstance(self._runner, PatientMaster):
            self._runner.tell_of_wait(self._parsed.expect_workers)

    def started_with(self, user_count: int, spawn_rate: float) -> None:
        """A program starts the test with so many users; a number that changes later is Locust's."""
        if self._runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return
        callbacks.on_end(self._on_end_raised, StopTest)  # of the run that is on
        self._settings.started_with(user_count, spawn_rate)

    def _if_mine(self, listener: Callable[..., None]) -> Callable[..., None]:
        """Leave out what concerns another environment: events may be shared by several."""

        def listen(environment: Environment | None = None, **named: Any) -> None:
            if environment is None or environment is self._environment:
                listener(environment=environment, **named)

        return listen

    @property
    def _parsed(self) -> Any:
        return self._environment.parsed_options

    def _prepare_locust(self, options: Options) -> None:
        """Jobs live on without their users, so users are spawned and stopped at once."""
        self._environment.stop_timeout = 0.0
        self._environment.dispatcher_class = AtOnceDispatcher
        if self._headless and not self._is_library and self._environment not in OVER:
            self._exit.set(2)  # until a run says better: without one nothing is carried out
        if self._console.is_terminal and not self._parsed.print_stats:
            self._parsed.only_summary = True  # its table would be drawn into the bar
        self._open_log(options)

    def _open_log(self, options: Options) -> None:
        if options.log_enabled and self._log is None:
            self._log = open_log(options.log_file, options.log_level)

    def _check_form(self, posted: dict[str, str]) -> None:
        """Raise KioskLocustError for a start form that a run cannot start from."""
        picks = self._page is not None and self._page.picks_classes
        self._settings.check_form(posted, picks_classes=picks)
        self._exit.refusal = ""
        self._start_of_test.over.clear()

    def _start_refusal(self, within_s: float) -> str:
        """The reason why the start that the form asked for was refused; empty where it was not.

        Locust begins a test in the greenlet that the form's answer spawns, or in one that this
        one spawns.
        """
        over = self._start_of_test.over
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

    # -- a run

    def _on_test_start(self, **_: Any) -> None:
        """Start the run; whatever keeps it from that ends Locust's test, with a message."""
        self._start_of_test.begin()
        try:
            self._start()
        except Exception as error:
            if not isinstance(error, KioskLocustError):
                logger.exception("a fault of kiosk_locust")
            self._exit.set(2)
            reason = error.public if self._page and isinstance(error, KioskLocustError) else error
            refusal = f"the run cannot start: {reason}"
            self._exit.refusal = refusal
            self._runner.log_exception("local", refusal, "")  # for Locust's page
            if self._page is not None:
                self._page.show_refusal(refusal)
            if self._environment in OVER:
                refuse(refusal)
            raise StopTest(refusal) from None
        finally:
            self._start_of_test.end()

    def _start(self) -> None:
        if self._active is not None and self._ending is not None:
            self._earlier.append((self._active, self._ending))
        self._earlier = [(run, ending) for run, ending in self._earlier if not ending.dead]
        self._active = self._ending = None
        settings = self._settings
        layers = settings.layers
        if self._page is not None:
            if not self._is_library:
                self._page.take_form()
            layers = settings.with_form(vars(self._parsed))
        if self._environment in OVER:
            OVER[self._environment] = Event()
            self._runner.update_state(STATE_INIT)  # a second call: the first one has stopped it
            settings.take_class_host()
        self._exit.check_caller()
        BREAKER.forget()
        options = settings.resolve(layers, tell=True)
        keep_jobs(self._environment)
        check_tasks(self._environment)
        self._open_log(options)
        bound = settings.logins_for(options, layers)
        active = ActiveRun(
            options,
            self._environment,
            self._console,
            lambda: self._on_run_over(active),
            settings.resumption,
            mix=mix_of(self._environment.user_classes, options),
            secrets=bound,
            is_ended=lambda: self._signals.first is not None,
            may_be_resumed=settings.is_resume_asked_for,
            tally=settings.tally,
        )
        RUNS[self._environment] = active.open(settings.first_requests(options))
        self._active = active
        self._scraped.current = active.exposition
        self._hosts.give(settings.other_classes, active.url)
        self._parsed.kiosk_url = active.url  # Locust sends it to workers
        self._exit.set(2)  # until the run says better
        if self._page is not None:
            self._page.show_run(active.live, active.path.parent)
        active.start()
        UserWatch(self._environment, active.state).start()
        settings.forget_resumption()

    def _on_run_over(self, active: ActiveRun) -> None:
        """All tickets are closed, or the run cannot go on: end Locust's test."""
        if active is self._active:  # not one that is still being finished while another is on
            gevent.spawn(self._stop_locust)

    def _stop_locust(self) -> None:
        if self._headless:
            self._runner.quit()
            return
        self._runner.stop()
        if self._parsed.autostart and self._parsed.autoquit >= 0:
            gevent.sleep(self._parsed.autoquit)
            self._quit()

    def _quit(self) -> None:
        self._runner.quit()
        if self._page is not None:
            self._page.stop()

    # -- its end: it lives in a greenlet of its own, so that nothing that is killed takes it along

    def _end(self) -> gevent.Greenlet | None:
        if self._active is not None and self._ending is None:
            locust_patches.forget_dead_greenlets()  # of the run's time: logged by then
            self._ending = gevent.spawn(self._drain_and_finish, self._active)
        return self._ending

    def _drain_and_finish(self, active: ActiveRun) -> None:
        active.drain(*self._reason(active))
        verdict = active.finish()
        locust_patches.REPEATS.tell_rest()
        self._exit.caller = ""
        self._log_line("; ".join([verdict.line, *(f"written: {path}" for path in active.files)]))
        if active is self._active:
            self._exit.set(verdict.code)
        if not self._headless or self._is_library:
            active.show()
        if self._is_library and self._log is not None:
            close_log(self._log)
            self._log = None
        if over := OVER.get(self._environment):
            over.set()

    def _log_line(self, text: str) -> None:
        """The console has it in the closing table; the log file shall end with it, too."""
        if self._log is not None and self._log.level <= logging.INFO:
            self._log.handle(logger.makeRecord(__name__, logging.INFO, "", 0, text, (), None))

    def _reason(self, active: ActiveRun) -> tuple[str, float]:
        return ending(
            active.options,
            self._signals,
            trouble=active.state.trouble,
            elapsed_s=active.elapsed_s,
            aborted=bool(active.aborted),
            called=self._exit.caller,
        )

    def _on_test_stopping(self, **_: Any) -> None:
        if self._end() is not None and self._active is not None:
            self._active.state.all_closed.wait()

    def _on_test_stop(self, **_: Any) -> None:
        """It may be that of a test before, which Locust had gone on stopping: that ends no run."""
        if self._ending is not None:
            self._ending.join()
        if self._headless and not self._runner.is_quitting:
            gevent.spawn(self._runner.quit)  # there is nobody who could start another test

    def _on_quitting(self, **_: Any) -> None:
        for active, _ in self._earlier:
            active.give_up()
        ending = self._end()
        gevent.joinall([*(each for _, each in self._earlier), *([ending] if ending else [])])
        if self._parsed.csv_prefix:
            # Locust writes its CSV files that often, and not once more at the end.
            gevent.sleep(CSV_STATS_INTERVAL_SEC + 0.1)

    # -- ended by users' code

    def _on_end_called(self, name: str, end: Callable[[], None]) -> None:
        """Users' code called runner.stop() or quit() where it must not wait."""
        self._exit.note_caller(name, is_run_begun=self._active is not None)
        gevent.spawn(self._carry_out, end)

    def _carry_out(self, end: Callable[[], None]) -> None:
        try:
            end()
        finally:
            if self._headless and not self._runner.is_quitting:
                self._runner.quit()

    def _on_end_raised(self, place: str, error: BaseException) -> bool:
        """Users' code raised what ends a process or a test; False where no run is on."""
        is_over = self._active is None or (self._ending is not None and self._ending.dead)
        if self._is_library and is_over and not self._start_of_test.is_on:
            return False  # it is the program's own affair
        shown = callbacks.describe(error)
        logger.error("%s raised %s: the run is ended", place, shown)
        caller = f"{shown} raised in {place}"
        self._exit.note_caller(caller, is_run_begun=self._active is not None)
        code = error.code if isinstance(error, SystemExit) else None
        if isinstance(code, int) and code:
            self._environment.process_exit_code = code
        gevent.spawn(self._stop_locust if isinstance(error, StopTest) else self._quit)
        return True

    def _on_quit(self, exit_code: int | None = None, **_: Any) -> None:
        """After all that Locust prints, the last words are ours, with the code that it told."""
        if otel.is_on(self._parsed):
            otel.end()
        if exit_code is not None and not self._is_library:
            if self._active is not None:
                self._scraped.linger(self._active.options.outside.linger_s)
            self._say_last(status(exit_code), self._exit.fault_at_end or SET_BY_OTHERS)

    def _say_last(self, code: int, why: str) -> None:
        if self._active is not None:
            own = self._active.verdict
            verdict = overruled(own, code, why)
            if self._headless:
                self._active.show(verdict)
            elif verdict is not own:
                say(self._console, verdict.line, "bold red")
            if verdict is not own:
                self._log_line(verdict.line)
        elif self._exit.refusal or code or self._headless:
            own = self._exit.without_run()
            say(self._console, overruled(own, code, why).line, "bold red")

    def give_up(self, why: str) -> int:
        """Locust's main gives up: write what there is, and say so in the last line; the code."""
        ending = self._end()
        if ending is not None:
            ending.join()
        if self._active is None:
            self._exit.refusal = self._exit.refusal or f"{NOT_CARRIED_OUT}: {why}"
        self._say_last(2, why)
        return 2

    def _on_last_of_quitting(self, **_: Any) -> None:
        """A check in users' code that broke while Locust ended must not look like a passed one."""
        if self._active is not None and locust_patches.has_dead_greenlets():
            self._exit.fault_at_end = BROKE_AT_END
            self._exit.set(2)

    # -- signals

    def _on_first_signal(self) -> None:
        if self._scraped.hurry():
            return  # the run is over, and nothing else was waited for
        logger.warning("%s: the run is ended; once more to wait no longer", self._signals.name)
        if self._active is None and self._start_of_test.is_on:
            self._exit.refuse_run(f"interrupted by {self._signals.name} before the first job")
            self._parsed.expect_workers_max_wait = _AT_ONCE_S  # Locust's main may wait for workers
        if self._active is not None and self._active.state.all_closed.is_set():
            self._active.give_up()  # the run is over: nothing but the cost is waited for
        gevent.spawn(self._quit)

    def _on_second_signal(self) -> None:
        logger.warning("waiting no longer for jobs in flight; everything is still written")
        if self._active is not None:
            self._active.give_up()
