"""Attaches everything to Locust: the one module that knows all others.

A locustfile calls :func:`attach` once, at its top level, and has a subclass of KioskUser.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import locust
import locust.log
from gevent.event import Event
from locust import User
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopTest
from locust.runners import (
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    LocalRunner,
    MasterRunner,
    WorkerRunner,
)
from locust.stats import CSV_STATS_INTERVAL_SEC
from locust.web import WebUI

from kiosk_locust import callbacks
from kiosk_locust.assembly import already_finished, resume, security_warnings
from kiosk_locust.assembly.controller import ActiveRun
from kiosk_locust.assembly.preflight import check_host
from kiosk_locust.assembly.resume import Finished, Resumption, Unfinished
from kiosk_locust.assembly.signals import Signals
from kiosk_locust.assembly.stop_reason import ending
from kiosk_locust.config import credential_hosts
from kiosk_locust.config.env_file import DOTENV, lookalikes, parse_dotenv
from kiosk_locust.config.secret_files import read_secrets
from kiosk_locust.config.sources import Given, Layer, Layers, environment_layers, locusts_own
from kiosk_locust.cost.credentials import Secrets, secrets
from kiosk_locust.errors import KioskLocustError, LedgerError, Mistake, OptionsError, PreflightError
from kiosk_locust.formatting import log_lines, quoting
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.model import file_names
from kiosk_locust.model.file_remarks import Tally, reasons, tell_doubts, tell_skipped
from kiosk_locust.model.options import Options, draft, resolve
from kiosk_locust.model.record import JobRequest
from kiosk_locust.monitoring import otel
from kiosk_locust.monitoring.metrics_server import Scraped
from kiosk_locust.plugin import arguments, library, locust_patches, web_login, web_port
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.dispatcher import AtOnceDispatcher
from kiosk_locust.plugin.locust_patches import SafeLocalRunner, SafeWorkerRunner
from kiosk_locust.plugin.log_file import close_log, open_log
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.start_form import StartForm
from kiosk_locust.plugin.user import OVER, RUNS, KioskUser, first_requests, mix_of
from kiosk_locust.plugin.user_watch import Hosts, UserWatch, check_tasks, keep_jobs
from kiosk_locust.plugin.web_ui import Site
from kiosk_locust.plugin.worker import WorkerPlugin
from kiosk_locust.storage.inputs.look_cache import Looks
from kiosk_locust.storage.inputs.scanning import Scans
from kiosk_locust.verdict.exit_code import BROKE_AT_END, SET_BY_OTHERS, Verdict, overruled, status

logger = logging.getLogger(__name__)

#: So long is left of a wait for workers that somebody ends; 0 would be no end.
_AT_ONCE_S = 1e-9
_SPAWNING = "spawning_greenlet"  # of a runner without workers
_NOT_CARRIED_OUT = "the run could not be carried out"

_attached: list[dict[str, str]] = []  # what stood in .env, once attached
_mistakes: list[Mistake] = []  # in .env; told with all others, once these are known
_plugins: WeakKeyDictionary[Environment, Plugin] = WeakKeyDictionary()
_shown: dict[str, str] = {}  # what the start form shows, once a plugin is registered


def attach() -> None:
    """Add the plugin's options and listeners to Locust; once a process, however often called."""
    if _attached:
        return
    dotenv, mistakes = parse_dotenv()
    _attached.append(dotenv)
    _mistakes.extend(mistakes)
    os.environ.update(locusts_own(dotenv, os.environ))
    if mistakes and _is_one_of_several():
        _refuse(OptionsError(mistakes))
    locust_patches.apply()
    locust_patches.on_local_start(_on_local_start)
    locust_patches.on_given_up(_on_given_up)
    locust.events.init_command_line_parser.add_listener(_on_parser)
    locust.events.init.add_listener(_on_init)


def _is_one_of_several() -> bool:
    """Whether workers run beside this process, or it is one: these would look for a master."""
    flags = [word.partition("=")[0] for word in sys.argv[1:]]
    names = ("LOCUST_PROCESSES", "LOCUST_MODE_WORKER")
    return bool({"--processes", "--worker"} & set(flags)) or any(map(os.environ.get, names))


def _on_parser(parser: LocustArgumentParser, **_: Any) -> None:
    """Locust makes a parser at its start, and one more each time somebody opens its page."""
    arguments.add_options(parser, _shown or None)
    arguments.explain_errors(parser, sys.argv[1:])


def _on_init(environment: Environment, web_ui: WebUI | None = None, **_: Any) -> None:
    runner = environment.runner
    log_lines.make_plain()
    otel.begin(environment.parsed_options)
    if isinstance(runner, WorkerRunner):
        if _mistakes:
            _refuse(OptionsError(_mistakes))
        layers = _layers_of_worker(environment, runner)
        WorkerPlugin(environment, SafeWorkerRunner.made_of(runner), layers).register()
        return
    try:
        if runner is None:
            _register_single(environment)
        else:
            _register(environment, web_ui)
    except (OptionsError, LedgerError) as error:
        _refuse(error)


def _layers_of_worker(environment: Environment, runner: WorkerRunner) -> Layers:
    """The settings of a worker's own operator, and none of its master.

    Locust writes the master's options over those of a worker that is told to spawn users.
    """
    if not library.is_library(environment):
        return arguments.read(sys.argv[1:], os.environ, _attached[0])
    if runner.worker_state in (STATE_SPAWNING, STATE_RUNNING):
        return Layers(environment_layers(os.environ, _attached[0])[0])
    return library.read(environment, _attached[0])


def _on_local_start(environment: Environment, user_count: int, spawn_rate: float) -> None:
    """Serve environments of programs, which need not fire ``init``; raises what settings raise."""
    if not library.is_library(environment) or environment in OVER:
        return
    plugin = _plugins.get(environment)
    if plugin is None:
        if not any(issubclass(c, KioskUser) for c in environment.user_classes):
            return
        plugin = _register(environment, environment.web_ui)
    plugin.started_with(user_count, spawn_rate)


def _register(environment: Environment, web_ui: WebUI | None) -> Plugin:
    """Serve a single process or a master; raises OptionsError and LedgerError."""
    runner = environment.runner
    if environment in _plugins:
        return _plugins[environment]
    if not isinstance(runner, (LocalRunner, MasterRunner)):
        raise TypeError(f"kiosk_locust knows no {runner!r}")
    if library.is_library(environment):
        layers = replace(library.read(environment, _attached[0]), mistakes=tuple(_mistakes))
        library.give_options(environment, headless=web_ui is None)
    else:
        layers = arguments.read(sys.argv[1:], os.environ, _attached[0], _mistakes)
    safe = (
        PatientMaster.made_of(runner)
        if isinstance(runner, MasterRunner)
        else SafeLocalRunner.made_of(runner)
    )
    plugin = Plugin(environment, safe, layers, web_ui)
    plugin.register()
    _plugins[environment] = plugin
    return plugin


def _register_single(environment: Environment) -> None:
    """Serve ``run_single_user``, which has no runner: one user, whom nobody ends."""
    OVER[environment] = Event()
    runner = SafeLocalRunner.made_of(environment.create_local_runner())
    layers = arguments.read(sys.argv[1:], os.environ, _attached[0], _mistakes)
    alone = Layer("run_single_user", {"num_users": Given("1", "run_single_user()")})
    layers = replace(layers, layers=(alone, *layers.layers))
    plugin = Plugin(environment, runner, layers, None)
    plugin.register()
    _plugins[environment] = plugin


def _refuse(error: KioskLocustError | str) -> None:
    """Leave with exit code 2; the last line says so, with the error where it is of one line."""
    first, *more = str(error).splitlines() or [_NOT_CARRIED_OUT]
    told = f"{error}\n" if more else ""
    sys.stderr.write(f"{told}{Verdict(2, first.rstrip(':')).line}\n")
    sys.exit(2)


def _on_given_up(why: str) -> int:
    """Locust's main gives up: say so in the last line; the exit code."""
    plugin = next(iter(_plugins.values()), None)
    if plugin is not None:
        return plugin.give_up(why)
    say(plain_console(stderr=True), Verdict(2, f"{_NOT_CARRIED_OUT}: {why}").line, "bold red")
    return 2


class Plugin:
    """The plugin in one Locust environment."""

    def __init__(
        self,
        environment: Environment,
        runner: SafeLocalRunner | PatientMaster,
        layers: Layers,
        web_ui: WebUI | None,
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._secret_sources = read_secrets(os.environ, *_attached)
        mistakes = (*layers.mistakes, *self._secret_sources.mistakes)
        self._given = replace(layers, mistakes=mistakes)
        self._secrets = secrets(self._secret_sources.environment, self._secret_sources.dotenv)
        self._resumption: Resumption | None = None  # for the first run only
        self._web_ui = web_ui
        self._is_library = library.is_library(environment)
        # Taken once: Locust writes the form's host into the classes.
        self._class_host = next((c.host for c in self._classes if c.host), None)
        self._hosts = Hosts()
        self._called = ""  # what in users' code ends the run
        self._own_code: int | None = None  # the exit code that we set last
        self._end_fault = ""  # what went wrong while Locust ended, beside the run
        self._rng = random.Random()
        self._shown: dict[str, str] = {}
        self._active: ActiveRun | None = None
        self._is_starting = False
        self._refusal = ""  # why the last run did not start
        self._start_over = Event()  # Locust's test has begun, or was refused
        self._site: Site | None = None
        self._form: StartForm | None = None
        self._scraped = Scraped()
        self._scans = Scans(None if self._headless else Looks())
        self._tally = Tally()
        self._ending: gevent.Greenlet | None = None
        self._earlier: list[tuple[ActiveRun, gevent.Greenlet]] = []  # runs that still end
        self._log: logging.Handler | None = None
        self._console = plain_console(stderr=True)
        self._signals = Signals(self._on_first_signal, self._on_second_signal)

    @property
    def _headless(self) -> bool:
        return self._web_ui is None

    # -- once a process

    def register(self) -> None:
        """Check the settings and attach every listener; raises OptionsError and LedgerError.

        Without a web UI all must be right by now; with one, the form may still mend it, but
        not where a run is to be resumed.
        """
        self._check_files()
        self._find_run()
        starts = self._headless or self._parsed.autostart
        self._is_starting = starts  # until Locust says so itself, a moment from now
        if starts or resume.is_asked_for(self._given):
            options = self._resolve(self._given, tell=False)
        else:
            options = draft(
                self._given,
                class_host=self._class_host,
                headless=False,
                rng=self._rng,
                find=self._scans.anew,
            ).options
        self._shown = arguments.prefill(self._parsed, self._in_force(self._given), options)
        if self._web_ui is not None or not self._is_library:
            for user_class in self._classes:  # the page shows it; other classes keep their own
                user_class.host = options.host
            _shown.update(self._shown)
        for line in (*lookalikes(_attached[0], os.environ), *self._exposed()):
            logger.warning("%s", line)
        self._prepare_locust(options)
        hooks = self._environment.events
        BREAKER.listen(hooks.user_error)
        hooks.test_start.add_listener(self._if_mine(self._on_test_start))
        hooks.test_stopping.add_listener(self._if_mine(self._on_test_stopping))
        hooks.test_stop.add_listener(self._if_mine(self._on_test_stop))
        hooks.quitting.add_listener(self._if_mine(self._on_quitting))
        locust_patches.listen_last(hooks.quitting, self._if_mine(self._on_last_of_quitting))
        hooks.quit.add_listener(self._on_quit)
        self._runner.on_end_called = self._on_end_called
        self._tell_of_wait(starts=starts)
        if self._web_ui is not None:
            web_port.check(self._web_ui)
            quoting.set_on(False)
            self._form = StartForm(
                self._web_ui,
                self._runner,
                self._check_form,
                lambda: self._is_starting,
                self._start_refusal,
            )
            self._site = Site(options.output_dir, self._open_page())
            self._site.add_to(self._web_ui, options.outside.allowed_hosts)
            self._site.login = self._add_login(self._web_ui)
            if options.outside.metrics:
                self._scraped.add_to(self._web_ui)
        elif options.outside.metrics:
            self._scraped.listen(options.outside)
        if not self._is_library:  # a program's signals are its own
            self._signals.install()
        callbacks.on_end(self._on_end_raised, StopTest)
        locust_patches.spare_tracebacks(StopTest)
        # Locust sets its timer for -t next, by a time that gevent read before all the imports.
        gevent.get_hub().loop.update_now()

    def _add_login(self, web_ui: WebUI) -> web_login.Login | None:
        """Set up ``--web-login``; without a password, and another login, Locust does not start."""

        def check() -> None:
            try:
                web_login.check(web_ui)
            except OptionsError as error:
                _refuse(error)

        locust_patches.before_page_starts(web_ui, check)
        return web_login.add(web_ui, web_login.credentials(self._secret_sources))

    def _find_run(self) -> None:
        """Look for the run to go on with; one that has no job left ends the process here."""
        found = resume.find(self._given)
        if isinstance(found, (Finished, Unfinished)):
            sys.exit(self._has_no_job_left(found))
        self._resumption = found
        if found is None:
            self._given = resume.new_name(self._given)

    def _logins_for(self, options: Options, given: Layers) -> Secrets:
        """The logins, each for its server; tells which are withheld, and a bucket that is left."""
        bound = credential_hosts.bound(self._secrets, given, os.environ)
        bucket = self._resumption.left_bucket(options) if self._resumption else ""
        for line in filter(None, (*credential_hosts.withheld(bound, options.grafana), bucket)):
            logger.warning("%s", line)
        return bound

    def _has_no_job_left(self, found: Finished | Unfinished) -> int:
        """Tell the exit code of a run, once its finish lacks nothing; raises as `register`."""
        if isinstance(found, Finished):
            return already_finished.tell(found, self._console).code
        self._resumption = found.resumption
        options = self._resolve(self._given, tell=False)
        self._open_log(options)

        def on_signal(hurry: Callable[[], None]) -> None:
            if not self._is_library:  # a program's signals are its own
                Signals(hurry, hurry).install()

        bound = self._logins_for(options, self._given)
        verdict = already_finished.make_up(found, options, self._console, bound, on_hurry=on_signal)
        self._log_line(verdict.line)
        return verdict.code

    def _tell_of_wait(self, *, starts: bool) -> None:
        """Have a master that waits for workers without a limit say how to set one."""
        is_bound = bool(self._parsed.expect_workers_max_wait)
        if starts and not is_bound and isinstance(self._runner, PatientMaster):
            self._runner.tell_of_wait(self._parsed.expect_workers)

    def _check_files(self) -> None:
        """Raise OptionsError for lines of files that give no setting, which no form can mend.

        All other mistakes are told beside them, unless a ledger may mend these.
        """
        mistakes = list(self._given.mistakes)
        if mistakes and not resume.is_asked_for(self._given):
            drafted = draft(
                self._given, class_host=self._class_host, headless=self._headless, rng=self._rng
            )
            mistakes = list(drafted.mistakes)
        if mistakes:
            raise OptionsError(mistakes)

    def started_with(self, user_count: int, spawn_rate: float) -> None:
        """A program starts the test with so many users; a number that changes later is Locust's."""
        if self._runner.state in (STATE_RUNNING, STATE_SPAWNING):
            return
        callbacks.on_end(self._on_end_raised, StopTest)  # of the run that is on
        calls = {
            "num_users": Given(str(user_count), "runner.start()"),
            "spawn_rate": Given(f"{spawn_rate:g}", "runner.start()"),
        }
        layers = [layer for layer in self._given.layers if layer.place != "runner.start()"]
        started = Layer("runner.start()", calls)
        self._given = replace(self._given, layers=(started, *layers))

    def _if_mine(self, listener: Callable[..., None]) -> Callable[..., None]:
        """Leave out what concerns another environment: events may be shared by several."""

        def listen(environment: Environment | None = None, **named: Any) -> None:
            if environment is None or environment is self._environment:
                listener(environment=environment, **named)

        return listen

    @property
    def _classes(self) -> list[type[KioskUser]]:
        """The classes that submit jobs; the class picker can change them between runs."""
        return [c for c in self._environment.user_classes if issubclass(c, KioskUser)]

    @property
    def _parsed(self) -> Any:
        return self._environment.parsed_options

    def _prepare_locust(self, options: Options) -> None:
        """Jobs live on without their users, so users are spawned and stopped at once."""
        self._environment.stop_timeout = 0.0
        self._environment.dispatcher_class = AtOnceDispatcher
        if self._headless and not self._is_library and self._environment not in OVER:
            self._set_code(2)  # until a run says better: without one nothing is carried out
        if self._console.is_terminal and not self._parsed.print_stats:
            self._parsed.only_summary = True  # its table would be drawn into the bar
        self._open_log(options)

    def _open_log(self, options: Options) -> None:
        if options.log_enabled and self._log is None:
            self._log = open_log(options.log_file, options.log_level)

    def _exposed(self) -> Iterator[str]:
        """A line for each thing that lies open to others."""
        files = self._secret_sources.files
        yield from security_warnings.warnings(
            os.environ, _attached[0], Path(DOTENV), self._secrets, files
        )
        has_login = self._web_ui is not None and self._parsed.web_login
        if has_login and security_warnings.is_well_known(
            self._secret_sources.get(web_login.PASSWORD)
        ):
            yield f"{web_login.PASSWORD} is one that everybody knows: choose another"
        if page := self._open_page():
            yield page

    def _open_page(self) -> str:
        """What to say of a web page that others may use."""
        if self._web_ui is None:
            return ""
        host, port = self._parsed.web_host, self._parsed.web_port
        return security_warnings.open_page(host, port, has_login=self._parsed.web_login)

    def _in_force(self, given: Layers) -> Layers:
        """What was given, above the ledger's settings where a run is to be resumed."""
        return self._resumption.under(given) if self._resumption else given

    def _resolve(self, given: Layers, *, tell: bool) -> Options:
        resolved = resolve(
            self._in_force(given),
            class_host=self._class_host,
            headless=self._headless,
            rng=self._rng,
            planned=self._resumption.planned if self._resumption else None,
            find=self._scans.kept if tell else self._scans.anew,
        )
        if tell:
            tell_skipped(resolved.skipped)
            tell_doubts(resolved.doubts)
            self._tally = Tally(
                len(resolved.options.transfers.inputs),
                reasons(resolved.skipped),
                reasons(resolved.doubts),
            )
            for notice in resolved.notices:
                logger.warning("%s", notice)
        if self._resumption:
            return self._resumption.options(resolved, given, self._class_host)
        options = resolved.options
        if (
            options.run_name
            and (ledger := file_names.ledger_of(options, options.run_name)).exists()
        ):
            source = resolved.sources.get("run_name", "--run-name")
            raise OptionsError(
                [Mistake(source, options.run_name, f"{ledger} is there already; choose another")]
            )
        return options

    def _check_form(self, posted: dict[str, str]) -> None:
        """Raise KioskLocustError for a start form that a run cannot start from."""
        options = self._resolve(self._given.with_form(posted, self._shown), tell=False)
        picks = self._web_ui is not None and self._web_ui.userclass_picker_is_active
        # Which classes were picked, Locust knows only once it has started.
        check_host(options, [] if picks else self._first(options))
        self._refusal = ""
        self._start_over.clear()

    def _start_refusal(self, within_s: float) -> str:
        """Why the start that the form asked for was refused, once that is known; empty: it was not.

        Locust 2.47 begins a test in the greenlet that the form's answer spawns, or in one that this
        one spawns. Without a worker, its master begins none, and says so itself.
        """
        limit = gevent.Timeout.start_new(within_s)
        try:
            for owner, name in ((self._web_ui, "_swarm_greenlet"), (self._runner, _SPAWNING)):
                starting = getattr(owner, name, None)
                if starting is not None and not self._start_over.is_set():
                    gevent.wait([self._start_over, starting], count=1)
        except gevent.Timeout as over:
            if over is not limit:
                raise
        finally:
            limit.close()
        return self._refusal if self._start_over.is_set() else ""

    # -- a run

    def _on_test_start(self, **_: Any) -> None:
        """Start the run; whatever keeps it from that ends Locust's test, with a message."""
        self._is_starting = True
        try:
            self._start()
        except Exception as error:
            if not isinstance(error, KioskLocustError):
                logger.exception("a fault of kiosk_locust")
            self._set_code(2)
            said = error.public if self._web_ui and isinstance(error, KioskLocustError) else error
            self._refusal = f"the run cannot start: {said}"
            self._runner.log_exception("local", self._refusal, "")  # for Locust's page
            if self._site is not None:
                self._site.refusal = self._refusal
            if self._environment in OVER:
                _refuse(self._refusal)
            raise StopTest(self._refusal) from None
        finally:
            self._is_starting = False
            self._start_over.set()

    def _start(self) -> None:
        if self._active is not None and self._ending is not None:
            self._earlier.append((self._active, self._ending))
        self._earlier = [(run, ending) for run, ending in self._earlier if not ending.dead]
        self._active = self._ending = None
        given = self._given
        if self._web_ui is not None:
            if self._form is not None and not self._is_library:
                self._form.begin()
            given = given.with_form(vars(self._parsed), self._shown)
        if self._environment in OVER:
            OVER[self._environment] = Event()
            self._runner.update_state(STATE_INIT)  # a second call: the first one has stopped it
            self._class_host = next((c.host for c in self._classes if c.host), None)
        self._check_called()
        BREAKER.forget()
        options = self._resolve(given, tell=True)
        keep_jobs(self._environment)
        check_tasks(self._environment)
        self._open_log(options)
        bound = self._logins_for(options, given)
        active = ActiveRun(
            options,
            self._environment,
            self._console,
            lambda: self._on_run_over(active),
            self._resumption,
            mix=mix_of(self._environment.user_classes, options),
            secrets=bound,
            is_ended=lambda: self._signals.first is not None,
            may_be_resumed=resume.is_asked_for(self._given),
            tally=self._tally,
        )
        RUNS[self._environment] = active.open(self._first(options))
        self._active = active
        self._scraped.current = active.exposition
        self._hosts.give(self._other_classes, active.url)
        self._parsed.kiosk_url = active.url  # Locust sends it to workers
        self._set_code(2)  # until the run says better
        if self._site is not None:
            self._site.began(active.live, active.path.parent)
        active.start()
        UserWatch(self._environment, active.run).start()
        self._given = resume.for_new_runs(self._given, self._resumption)
        self._resumption = None

    @property
    def _other_classes(self) -> list[type[User]]:
        return [c for c in self._environment.user_classes if not issubclass(c, KioskUser)]

    def _check_called(self) -> None:
        """Raise PreflightError where users' code has ended the test before it began."""
        called, self._called = self._called, ""
        if called:
            raise PreflightError(f"{called} was called before the first job")

    def _first(self, options: Options) -> list[JobRequest]:
        """What each user class would submit first, for the check before the start."""
        is_resumed = self._resumption is not None
        return first_requests(self._classes, self._environment, options, is_resumed=is_resumed)

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
        if self._web_ui is not None:
            self._web_ui.stop()

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
        self._called = ""
        self._log_line("; ".join([verdict.line, *(f"written: {path}" for path in active.files)]))
        if active is self._active:
            self._set_code(verdict.code)
        if not self._headless or self._is_library:
            active.show()
        if self._is_library and self._log is not None:
            close_log(self._log)
            self._log = None
        if over := OVER.get(self._environment):
            over.set()

    def _set_code(self, code: int) -> None:
        """Set the process's exit code, unless users' code has set another one than 0."""
        environment = self._environment
        if environment.process_exit_code in (None, 0, self._own_code):
            environment.process_exit_code = self._own_code = code

    def _log_line(self, text: str) -> None:
        """The console has it in the closing table; the log file shall end with it, too."""
        if self._log is not None and self._log.level <= logging.INFO:
            self._log.handle(logger.makeRecord(__name__, logging.INFO, "", 0, text, (), None))

    def _reason(self, active: ActiveRun) -> tuple[str, float]:
        return ending(
            active.options,
            self._signals,
            trouble=active.run.trouble,
            elapsed_s=active.elapsed_s,
            aborted=bool(active.aborted),
            called=self._called,
        )

    def _on_test_stopping(self, **_: Any) -> None:
        if self._end() is not None and self._active is not None:
            self._active.run.all_closed.wait()

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
        self._note_end(name)
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
        if self._is_library and is_over and not self._is_starting:
            return False  # it is the program's own affair
        shown = callbacks.describe(error)
        logger.error("%s raised %s: the run is ended", place, shown)
        self._note_end(f"{shown} raised in {place}")
        code = error.code if isinstance(error, SystemExit) else None
        if isinstance(code, int) and code:
            self._environment.process_exit_code = code
        gevent.spawn(self._stop_locust if isinstance(error, StopTest) else self._quit)
        return True

    def _note_end(self, what: str) -> None:
        self._called = self._called or what
        if self._active is None:
            self._set_code(2)
            self._refusal = f"{what} before the first job"

    def _on_quit(self, exit_code: int | None = None, **_: Any) -> None:
        """After all that Locust prints, the last words are ours, with the code that it told."""
        if otel.is_on(self._parsed):
            otel.end()
        if exit_code is not None and not self._is_library:
            if self._active is not None:
                self._scraped.linger(self._active.options.outside.linger_s)
            self._say_last(status(exit_code), self._end_fault or SET_BY_OTHERS)

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
        elif self._refusal or code or self._headless:
            own = Verdict(2, self._refusal or f"{_NOT_CARRIED_OUT}: no run was begun")
            say(self._console, overruled(own, code, why).line, "bold red")

    def give_up(self, why: str) -> int:
        """Locust's main gives up: write what there is, and say so in the last line; the code."""
        ending = self._end()
        if ending is not None:
            ending.join()
        if self._active is None:
            self._refusal = self._refusal or f"{_NOT_CARRIED_OUT}: {why}"
        self._say_last(2, why)
        return 2

    def _on_last_of_quitting(self, **_: Any) -> None:
        """A check in users' code that broke while Locust ended must not look like a passed one."""
        if self._active is not None and locust_patches.has_dead_greenlets():
            self._end_fault = BROKE_AT_END
            self._set_code(2)

    # -- signals

    def _on_first_signal(self) -> None:
        if self._scraped.hurry():
            return  # the run is over, and nothing else was waited for
        logger.warning("%s: the run is ended; once more to wait no longer", self._signals.name)
        if self._active is None and self._is_starting:
            self._refusal = f"interrupted by {self._signals.name} before the first job"
            self._set_code(2)
            self._parsed.expect_workers_max_wait = _AT_ONCE_S  # Locust's main may wait for workers
        if self._active is not None and self._active.run.all_closed.is_set():
            self._active.give_up()  # the run is over: nothing but the cost is waited for
        gevent.spawn(self._quit)

    def _on_second_signal(self) -> None:
        logger.warning("waiting no longer for jobs in flight; everything is still written")
        if self._active is not None:
            self._active.give_up()
