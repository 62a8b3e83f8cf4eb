"""Registers the plugin with Locust: one for each environment, or a worker's part of it.

A locustfile calls :func:`attach` once, at its top level, and has a subclass of KioskUser.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import locust
from gevent.event import Event
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    LocalRunner,
    MasterRunner,
    WorkerRunner,
)
from locust.web import WebUI

from kiosk_locust.config.env_file import parse_dotenv
from kiosk_locust.config.sources import Layer, Layers, SettingText, environment_layers, locusts_own
from kiosk_locust.errors import LedgerError, Mistake, OptionsError
from kiosk_locust.formatting import log_lines
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.monitoring import otel
from kiosk_locust.plugin import arguments, library, locust_patches
from kiosk_locust.plugin.exit_status import NOT_CARRIED_OUT, refuse
from kiosk_locust.plugin.locust_patches import SafeLocalRunner, SafeWorkerRunner
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.plugin import Plugin
from kiosk_locust.plugin.run_settings import RunSettings
from kiosk_locust.plugin.user import OVER, KioskUser
from kiosk_locust.plugin.worker import WorkerPlugin
from kiosk_locust.verdict.exit_code import Verdict

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
        refuse(OptionsError(mistakes))
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
            refuse(OptionsError(_mistakes))
        layers = _layers_of_worker(environment, runner)
        WorkerPlugin(environment, SafeWorkerRunner.made_of(runner), layers).register()
        return
    try:
        if runner is None:
            _register_single(environment)
        else:
            _register(environment, web_ui)
    except (OptionsError, LedgerError) as error:
        refuse(error)


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
    return _add(environment, safe, layers, web_ui)


def _register_single(environment: Environment) -> None:
    """Serve ``run_single_user``, which has no runner: one user, whom nobody ends."""
    OVER[environment] = Event()
    runner = SafeLocalRunner.made_of(environment.create_local_runner())
    layers = arguments.read(sys.argv[1:], os.environ, _attached[0], _mistakes)
    alone = Layer("run_single_user", {"num_users": SettingText("1", "run_single_user()")})
    layers = replace(layers, layers=(alone, *layers.layers))
    _add(environment, runner, layers, None)


def _add(
    environment: Environment,
    runner: SafeLocalRunner | PatientMaster,
    layers: Layers,
    web_ui: WebUI | None,
) -> Plugin:
    settings = RunSettings(environment, layers, _attached[0], headless=web_ui is None)
    plugin = Plugin(environment, runner, settings, web_ui)
    plugin.register()
    _shown.update(plugin.form_defaults)
    _plugins[environment] = plugin
    return plugin


def _on_given_up(why: str) -> int:
    """Locust's main gives up: say so in the last line; the exit code."""
    plugin = next(iter(_plugins.values()), None)
    if plugin is not None:
        return plugin.give_up(why)
    say(plain_console(stderr=True), Verdict(2, f"{NOT_CARRIED_OUT}: {why}").line, "bold red")
    return 2
