"""Locust's configuration files, by its own rules, with the line of whatever it would refuse.

Locust takes every unambiguous beginning of an option's name for the option (``user = 7``), stops at
the first key that it does not know, and names no line. `read` finds the same settings, and all
mistakes at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from configargparse import ConfigFileParserException, DefaultConfigFileParser
from locust.argument_parser import LocustTomlConfigParser

from kiosk_locust.config.sources import Layer, SettingText
from kiosk_locust.config.table import SECRETS, SETTINGS
from kiosk_locust.errors import Mistake, TextFileError
from kiosk_locust.filesystem.text_files import nearest, read_text

TOML_TABLE = "tool.locust"

_BOOLEANS = ("true", "yes", "on", "1", "false", "no", "off", "0")
#: Where Locust's parser does not take an empty value for none.
_NEVER_EMPTY = ("num_users", "spawn_rate", "run_time", "stop_timeout")
_SHOWN = 5  # options that a message names

#: The parser's options by their flags, long and short.
Options = Mapping[str, argparse.Action]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings in one file, and what is wrong with its other lines.

    ``notices`` are of keys that only a locustfile can know; Locust refuses them unless it does.
    """

    layer: Layer
    mistakes: tuple[Mistake, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """A key and its value; ``place`` is the file and, where it is known, the line."""

    key: str
    value: str | list[str]
    place: str

    @property
    def text(self) -> str:
        """The value as a text, a list with commas."""
        return self.value if isinstance(self.value, str) else ",".join(map(str, self.value))


class _Unknown(ValueError):
    """A key of no option that is known here."""


class _Stream(StringIO):
    """A text as the parser for TOML takes it, with the name of its file."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def read(path: str, shown: str, options: Options) -> ConfigFile:
    """The settings in the file at ``path``, which messages call ``shown``."""
    mistakes: list[Mistake] = []
    notices: list[str] = []
    values: dict[str, SettingText] = {}
    for item in _items(path, shown, mistakes):
        try:
            action = _action(item, options)
        except _Unknown as error:
            notices.append(f"{item.key} in {item.place} {error}")
        except ValueError as error:
            mistakes.append(Mistake(f"{item.key} in {item.place}", "", str(error)))
        else:
            if action.dest in SETTINGS:
                values[action.dest] = SettingText(item.text, item.key, shown)
    return ConfigFile(Layer(shown, values), tuple(mistakes), tuple(notices))


def _items(path: str, shown: str, mistakes: list[Mistake]) -> list[_Item]:
    """The keys and values of a file, a later one of a key in the place of the first."""
    try:
        text = read_text(Path(path).expanduser(), mark=False)
        if path.endswith(".toml"):  # as Locust tells them apart
            found = LocustTomlConfigParser([TOML_TABLE]).parse(_Stream(text, path))
            return [_Item(key, value, shown) for key, value in found.items()]
    except (TextFileError, RuntimeError) as error:  # the latter: no such home folder
        mistakes.append(Mistake(shown, "", f"cannot be read: {error}"))
        return []
    except (ConfigFileParserException, RecursionError) as error:
        mistakes.append(Mistake(shown, "", f"cannot be read: {error or 'too deeply nested'}"))
        return []
    items: dict[str, _Item] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{shown}, line {number}"
        try:
            pairs = DefaultConfigFileParser().parse([line])
        except ConfigFileParserException:
            advice = "the line is not understood: write key = value, the key as the flag without --"
            mistakes.append(Mistake(place, "", advice))
            continue
        items |= {key: _Item(key, value, place) for key, value in pairs.items()}
    return list(items.values())


def _action(item: _Item, options: Options) -> argparse.Action:
    """The option that an item sets; raises ValueError with what is wrong."""
    is_whole = item.key in _keys(options)
    flag = f"--{item.key.removeprefix('--')}" if is_whole else _completed(item.key, options)
    action, name = options[flag], flag.removeprefix("--")
    if isinstance(item.value, list) and not (
        isinstance(action, argparse._AppendAction) or (is_whole and action.nargs in ("*", "+"))
    ):
        raise ValueError(f"no list can be read here: write {name} = a,b without brackets")
    if action.nargs == 0 and not is_whole:
        raise ValueError(f"Locust takes no shortened name of a flag in a file: write {name}")
    if not item.value and action.dest in _NEVER_EMPTY:
        raise ValueError("must not be empty: give a value, or leave the line out")
    if action.nargs == 0 and str(item.value).lower() not in _BOOLEANS:
        raise ValueError("must be true or false")
    return action


def _keys(options: Options) -> set[str]:
    """The keys that Locust knows: long flags, with and without their dashes."""
    flags = {flag for flag in options if flag.startswith("--")}
    return flags | {flag.removeprefix("--") for flag in flags}


def _completed(key: str, options: Options) -> str:
    """The one long flag that begins with ``key``; raises ValueError where there is no such one."""
    flag = "--" + key.strip("-")
    if flag in options:
        return flag
    matches = [option for option in options if option.startswith(flag)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ValueError(f"it may mean {_either(matches)}: write the whole name")
    raise _refusal(key, options)


def _refusal(key: str, options: Options) -> ValueError:
    """What to say of a key that begins no option."""
    if key.upper() in {name for secret in SECRETS for name in (secret.env, secret.file_env)}:
        return ValueError("passwords and tokens are read from the environment and .env alone")
    by_env = {s.env: s.flag or "--host" for s in SETTINGS.values() if s.env}
    near = by_env.get(key.upper(), "--" + key.strip("-").lower().replace("_", "-"))
    if near in options:
        return ValueError(f"Locust knows no such key: write {near.removeprefix('--')}")
    names = [option.removeprefix("--") for option in options if option.startswith("--")]
    close = nearest(key, names)
    hint = f"; did you mean {close}?" if close else ""
    return _Unknown(f"is no setting, so Locust refuses it unless a locustfile adds it{hint}")


def _either(flags: list[str]) -> str:
    """Some of the options that a key may mean."""
    names = [flag.removeprefix("--") for flag in flags[:_SHOWN]]
    more = len(flags) - len(names)
    return ", ".join(names) + (f" or {more} more" if more else "")
