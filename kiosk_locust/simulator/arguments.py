"""The command line: one option for each setting of the model, made from the settings."""

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
    """What the process was told."""

    host: str
    port: int
    until_stdin_closes: bool
    folder: Path | None  # that stands for the bucket; None: one of its own, for its time only
    settings: ClusterSettings
    faults: list[FaultRule]


def parse_arguments(words: list[str]) -> Arguments:
    """Read the command line; leaves with code 2 and a message where it cannot be used."""
    parser = make_parser()
    given = vars(parser.parse_args(words))
    if given["seed"] is None:
        given["seed"] = secrets.randbits(31)
    try:
        settings = ClusterSettings(
            **{each.name: given[each.name] for each in fields(ClusterSettings)}
        )
        faults = [parse_fault(text) for text in given["fault"]]
    except OptionsError as error:
        parser.error(str(error))
    return Arguments(
        given["host"], given["port"], given["until_stdin_closes"], given["folder"], settings, faults
    )


def make_parser() -> argparse.ArgumentParser:
    """The parser, with all options and their help."""
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
    for each in fields(ClusterSettings):
        title = each.metadata["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        _add(group, each)
    return parser


def _add(group: Any, each: Field[Any]) -> None:  # argparse names no type for a group
    default, text = each.default, each.metadata["help"]
    if each.name == "seed":
        group.add_argument("--seed", type=int, metavar="N", help=f"{text} (a new one each time)")
    elif isinstance(default, bool):
        action = argparse.BooleanOptionalAction
        group.add_argument(flag(each.name), action=action, default=default, help=text)
    elif isinstance(default, tuple):
        shown = ",".join(default) or "none"
        group.add_argument(
            flag(each.name), type=_listed, default=default, metavar="LIST",
            help=f"{text} ({shown})",
        )  # fmt: skip
    else:
        group.add_argument(
            flag(each.name), type=_type(each), default=default, metavar=_metavar(each),
            help=f"{text} ({default})",
        )  # fmt: skip


def _metavar(each: Field[Any]) -> str:
    """The unit of a setting, from its name."""
    if each.name.endswith("_s"):
        return "SECONDS"
    if each.name.endswith("_rate"):
        return "SHARE"
    return {"int": "N", "float": "X"}.get(type(each.default).__name__, "NAME")


def _type(each: Field[Any]) -> Callable[[str], Any]:
    return _seconds if _metavar(each) == "SECONDS" else type(each.default)


def _seconds(text: str) -> float:
    """Seconds, or a duration with units; below 0 only where it is a number, as clocks may be."""
    try:
        return float(text)  # what cannot be, the settings say themselves
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
