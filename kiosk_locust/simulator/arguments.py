"""Command line: one option for each setting of the model, derived from the settings."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import Any

from kiosk_locust.errors import OptionsError
from kiosk_locust.parsing import duration
from kiosk_locust.simulator.faults import FaultRule, parse_fault
from kiosk_locust.simulator.settings import ClusterSettings, flag

DESCRIPTION = "A simulated DeepCell Kiosk: frontend, queues, consumers, GPU nodes, autoscaler."
EPILOG = (
    "When it is ready, it prints one line of JSON on its standard output: "
    '{"url": "http://127.0.0.1:PORT"}. Everything else goes to its standard error.'
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Parsed command line."""

    host: str
    port: int
    until_stdin_closes: bool
    folder: Path | None  # folder of the bucket; None: a temporary one
    settings: ClusterSettings
    faults: list[FaultRule]


def parse_arguments(words: list[str]) -> Arguments:
    """Parse the command line; exits with code 2 and a message if it is invalid."""
    parser = make_parser()
    options = vars(parser.parse_args(words))
    if options["seed"] is None:
        options["seed"] = secrets.randbits(31)
    try:
        settings = ClusterSettings(
            **{setting.name: options[setting.name] for setting in fields(ClusterSettings)}
        )
        faults = [parse_fault(text) for text in options["fault"]]
    except OptionsError as error:
        parser.error(str(error))
    return Arguments(
        options["host"],
        options["port"],
        options["until_stdin_closes"],
        options["folder"],
        settings,
        faults,
    )


def make_parser() -> argparse.ArgumentParser:
    """Parser with all options and their help."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk_locust.simulator", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="TCP port; 0 picks a free one (%(default)s)"
    )
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when the standard input does, because the parent has died",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="folder that stands for the bucket (a new one, deleted at the end)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="RULE",
        help="'METHOD PATH key=value …': what goes wrong; may be given several times",
    )
    groups: dict[str, Any] = {}
    for setting in fields(ClusterSettings):
        title = setting.metadata["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        _add(group, setting)
    return parser


def _add(group: Any, setting: Field[Any]) -> None:  # argparse names no type for a group
    default, text = setting.default, setting.metadata["help"]
    if setting.name == "seed":
        group.add_argument("--seed", type=int, metavar="N", help=f"{text} (a new one each time)")
    elif isinstance(default, bool):
        action = argparse.BooleanOptionalAction
        group.add_argument(flag(setting.name), action=action, default=default, help=text)
    elif isinstance(default, tuple):
        shown = ",".join(default) or "none"
        group.add_argument(
            flag(setting.name), type=_listed, default=default, metavar="LIST",
            help=f"{text} ({shown})",
        )  # fmt: skip
    else:
        group.add_argument(
            flag(setting.name), type=_type(setting), default=default, metavar=_metavar(setting),
            help=f"{text} ({default})",
        )  # fmt: skip


def _metavar(setting: Field[Any]) -> str:
    """Unit of a setting, from its name."""
    if setting.name.endswith("_s"):
        return "SECONDS"
    if setting.name.endswith("_rate"):
        return "SHARE"
    return {"int": "N", "float": "X"}.get(type(setting.default).__name__, "NAME")


def _type(setting: Field[Any]) -> Callable[[str], Any]:
    return _seconds if _metavar(setting) == "SECONDS" else type(setting.default)


def _seconds(text: str) -> float:
    """Seconds, or a duration with units; negative only as a number, for clock skews."""
    try:
        return float(text)  # other invalid values are reported by the settings
    except ValueError:
        pass
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give 0 to 65535")
    return int(text)
