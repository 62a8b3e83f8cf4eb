"""``python -m kiosk_locust check``: asks everybody that a run would ask, and submits nothing."""

from __future__ import annotations

import os
import random
import sys
from functools import partial
from pathlib import Path
from typing import Any

import locust
from locust.argument_parser import LocustArgumentParser
from rich.console import Console

from kiosk_locust.assembly import security_warnings
from kiosk_locust.cli.check_services import ask_all
from kiosk_locust.config import credential_hosts
from kiosk_locust.config.env_file import DOTENV, lookalikes, parse_dotenv
from kiosk_locust.config.resolve import resolve
from kiosk_locust.config.secret_files import read_secrets
from kiosk_locust.config.sources import locusts_own
from kiosk_locust.cost.credentials import secrets
from kiosk_locust.errors import OptionsError
from kiosk_locust.formatting.console import plain_console, say
from kiosk_locust.model.file_remarks import Remark, in_words, reasons
from kiosk_locust.plugin import arguments as commandline
from kiosk_locust.storage.inputs.scanning import scan

USAGE = "usage: python -m kiosk_locust check [SETTINGS, as locust takes them]\n"


def main(arguments: list[str]) -> int:
    """Check the settings, then ask the Kiosk, the bucket and Grafana; the exit code, 0 or 2.

    All troubles are told, not the first alone. What a locustfile's user classes change of the
    settings is not known here.
    """
    if {"-h", "--help"} & set(arguments):
        sys.stderr.write(USAGE)
        return 0
    tell = partial(_tell, plain_console(stderr=True))
    locust.events.init_command_line_parser.add_listener(_on_parser)
    try:
        dotenv, mistakes = parse_dotenv()
        os.environ.update(locusts_own(dotenv, os.environ))
        sources = read_secrets(os.environ, dotenv)
        mistakes += sources.mistakes
        layers = commandline.read(arguments, os.environ, dotenv, mistakes)
        find = partial(scan, say=tell)
        resolved = resolve(layers, headless=True, rng=random.Random(), find=find)
        bound = credential_hosts.bound(
            secrets(sources.environment, sources.dotenv), layers, os.environ
        )
    except OptionsError as error:
        tell(f"settings: {error}")
        return 2
    for notice in resolved.notices:
        tell(f"settings: {notice}")
    exposed = security_warnings.warnings(os.environ, dotenv, Path(DOTENV), bound, sources.files)
    for line in (*lookalikes(dotenv, os.environ), *exposed):
        tell(f"settings: {line}")
    remarks: dict[str, tuple[Remark, ...]] = {
        "skipped": resolved.skipped, "taken in doubt": resolved.doubts
    }  # fmt: skip
    for what, files in remarks.items():
        if files:
            tell(f"files: {len(files):,} {what} ({in_words(reasons(files))})")
    tell("settings: no mistakes")
    return 0 if ask_all(resolved.options, bound, tell) else 2


def _tell(console: Console, text: str) -> None:
    for line in text.splitlines():
        say(console, line)


def _on_parser(parser: LocustArgumentParser, **_: Any) -> None:
    commandline.add_options(parser)
