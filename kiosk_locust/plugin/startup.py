"""The plugin's part of a process's start, before Locust starts a test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from kiosk_locust.assembly import already_finished
from kiosk_locust.assembly.resume import Finished, Unfinished
from kiosk_locust.assembly.signals import Signals
from kiosk_locust.model.options import Options
from kiosk_locust.plugin import web_login
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.dispatcher import AtOnceDispatcher
from kiosk_locust.plugin.last_words import LastWords
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.page import Page
from kiosk_locust.plugin.run_settings import RunSettings

logger = logging.getLogger(__name__)


def finish(run: Finished | Unfinished, settings: RunSettings, words: LastWords) -> int:
    """The exit code of a run without a job left, once its finalization lacks nothing.

    Raises OptionsError and LedgerError.
    """
    if isinstance(run, Finished):
        return already_finished.tell(run, words.console).code
    options = settings.resolve(settings.layers, tell=False)
    words.open_log(options)

    def on_signal(hurry: Callable[[], None]) -> None:
        if not settings.is_library:  # a program's signals are its own
            Signals(hurry, hurry).install()

    secrets = settings.logins.for_run(options, settings.layers, settings.resumption)
    verdict = already_finished.make_up(run, options, words.console, secrets, on_hurry=on_signal)
    words.of_verdict(verdict)
    return verdict.code


def warn(settings: RunSettings, page: Page | None, parsed: Any) -> None:
    """Log a line for each thing that lies open to others."""
    has_login = page is not None and parsed.web_login
    warnings = settings.logins.warnings(has_login=has_login, password=web_login.PASSWORD)
    for line in filter(None, (*warnings, page.warning if page else "")):
        logger.warning("%s", line)


def prepare_locust(environment: Environment, options: Options, words: LastWords) -> None:
    """Have users spawned and stopped at once, since jobs live on without them."""
    BREAKER.listen(environment.events.user_error)
    environment.stop_timeout = 0.0
    environment.dispatcher_class = AtOnceDispatcher
    parsed: Any = environment.parsed_options
    if words.console.is_terminal and not parsed.print_stats:
        parsed.only_summary = True  # its table would be drawn into the bar
    words.open_log(options)


def tell_of_wait(environment: Environment) -> None:
    """Have a master that waits for workers without a limit say how to set one."""
    runner: Any = environment.runner
    parsed: Any = environment.parsed_options
    if isinstance(runner, PatientMaster) and not parsed.expect_workers_max_wait:
        runner.tell_of_wait(parsed.expect_workers)
