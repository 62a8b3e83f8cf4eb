"""Locust as a library: environments that a program makes, without Locust's command line.

``attach()``, an ``Environment``, ``create_local_runner()`` and ``runner.start(…)`` are enough.
Settings come from the environment and ``.env``; what the program gave to Locust (host, users, spawn
rate, parsed options) wins over them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from locust.argument_parser import get_parser
from locust.env import Environment

from kiosk_locust.config.sources import Layer, Layers, SettingText, environment_layers, form_text
from kiosk_locust.config.table import SETTINGS


def is_library(environment: Environment) -> bool:
    """Whether a program made ``environment``, or run_single_user, and not the command line."""
    return environment.parsed_locustfiles is None


def give_options(environment: Environment, *, headless: bool) -> None:
    """Let an environment without parsed options have those of an empty command line."""
    if environment.parsed_options is None:
        environment.parsed_options = get_parser(default_config_files=[]).parse_args(args=[])
    environment.parsed_options.headless = headless


def read(environment: Environment, dotenv: Mapping[str, str], **started: float) -> Layers:
    """Everything that was given; ``started`` is what ``runner.start`` got, by settings' names."""
    (above, below), signs = environment_layers(os.environ, dotenv)
    calls = {
        name: SettingText(
            f"{value:g}" if isinstance(value, float) else str(value), "runner.start()"
        )
        for name, value in started.items()
    }
    if environment.host:
        calls["host"] = SettingText(environment.host, "Environment(host=…)")
    layers = [Layer("the program", calls)]
    if environment.parsed_options is not None:
        layers.append(_parsed(environment.parsed_options))
    return Layers((*layers, above, below), signs)


def _parsed(options: argparse.Namespace) -> Layer:
    """What differs in ``options`` from what nobody gave."""
    defaults = vars(get_parser(default_config_files=[]).parse_args(args=[]))
    values = {
        setting.name: SettingText(form_text(value), setting.flag, "parsed_options")
        for setting in SETTINGS.values()
        if (value := getattr(options, setting.name, None)) is not None
        and value != defaults.get(setting.name)
    }
    return Layer("parsed_options", values)
