"""The ``.env`` file of the working directory: names, values and mistakes.

python-dotenv defines the meaning of a line. Lines that it ignores silently are mistakes here, since
a setting that is not applied changes the measurement. No message shows a value: it may be a secret.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from kiosk_locust.config.table import SECRETS, SETTINGS
from kiosk_locust.errors import Mistake, OptionsError, TextFileError
from kiosk_locust.filesystem.text_files import nearest, read_text

DOTENV = ".env"
#: All known names.
NAMES = (
    *(setting.env for setting in SETTINGS.values() if setting.env),
    *(secret.env for secret in SECRETS),
    *(secret.file_env for secret in SECRETS),
)
#: Prefix of Locust's own settings.
LOCUST = "LOCUST_"
#: Names that select the measured Kiosk: a typo would measure the simulated one instead.
_HOSTS = ("API_HOST", f"{LOCUST}HOST")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_BEGINNING = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_-]*)")
_LINE_IN_QUOTES = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")


def read_dotenv(path: Path = Path(DOTENV)) -> dict[str, str]:
    """Names and values of a ``.env`` file, taken literally; none if it does not exist.

    Raises:
        OptionsError: It lists every mistake in the file.

    """
    values, mistakes = parse_dotenv(path)
    if mistakes:
        raise OptionsError(mistakes)
    return values


def parse_dotenv(path: Path = Path(DOTENV)) -> tuple[dict[str, str], list[Mistake]]:
    """Like `read_dotenv`, but returns mistakes beside the readable values."""
    if not os.path.lexists(path):
        return {}, []
    try:
        text = read_text(path)
    except TextFileError as error:
        return {}, [Mistake(str(path), "", str(error))]
    values: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        blank = len(original) - len(original.lstrip())
        line = binding.original.line + original.count("\n", 0, blank)
        problems = list(_problems(binding, line))
        mistakes += [Mistake(f"{path}, line {line}", "", problem) for problem in problems]
        if binding.key and binding.value is not None and not problems:
            values[binding.key] = binding.value
    return values, mistakes


def _problems(binding: Binding, line: int) -> Iterator[str]:
    """Problems of one line, or of the lines of a quoted value."""
    if binding.error or (binding.key is not None and not _NAME.fullmatch(binding.key)):
        yield _not_understood(binding.original.string)
    elif binding.key is None:
        return  # blank, or a comment
    elif intended := _intended_setting(binding.key):
        yield (
            f"{binding.key} is no setting, and differs from one in spelling only: write {intended}"
        )
    elif binding.value is None:
        yield f"{_shown(binding.key) or 'the name'} has no value: write NAME=value, or leave it out"
    else:
        yield from _settings_in_quotes(binding.value, line)


def _not_understood(text: str) -> str:
    start = _BEGINNING.match(text)
    name = _shown(start[1]) if start else ""
    if start and name and text[start.end() :].lstrip().startswith(":"):
        return f"{name} is followed by a colon, so the line is not understood: write {name}=value"
    return f"the line is not understood: write {name or 'NAME'}=value, with quotes closed"


def _settings_in_quotes(value: str, line: int) -> Iterator[str]:
    """Problems of quoted values that contain further settings."""
    for number, text in enumerate(value.split("\n")):
        match = _LINE_IN_QUOTES.match(text) if number else None
        if match and match[1] in NAMES:
            yield f"the quotes take in {match[1]} in line {line + number}: close them before it"


def _shown(name: str) -> str:
    """The setting that a word names, in any case; empty if it may be anything else."""
    upper = name.upper().replace("-", "_")
    return upper if upper in NAMES or upper.startswith(LOCUST) else ""


def _intended_setting(name: str) -> str:
    """The setting that a name differs from only in case or dashes; empty for none."""
    setting = _shown(name)
    return "" if setting == name else setting


def misspelt_names(dotenv: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """One line for each name in ``.env`` that is no setting, but similar to one.

    Also for names in the environment that differ only in case, if they have an underscore: plain
    words may belong to other programs.
    """
    lines = [
        f"{name} in the environment is no setting: did you mean {setting}?"
        for name in environ
        if "_" in name and (setting := _intended_setting(name)) in NAMES and setting not in environ
    ]
    near = {name: setting for name in dotenv if (setting := _near(name))}
    return lines + [f"{name} in .env is no setting: did you mean {near[name]}?" for name in near]


def misspelt_hosts(dotenv: Mapping[str, str]) -> list[str]:
    """Names in ``.env`` that are no settings, but similar to one that selects the Kiosk."""
    return [name for name, value in dotenv.items() if value and _near(name) in _HOSTS]


def _near(name: str) -> str:
    """The setting that an unknown name is similar to; empty for none."""
    if name in NAMES:
        return ""
    near = nearest(name, NAMES)
    if not near and LOCUST + name in NAMES and f"{LOCUST}{name}" not in _HOSTS:
        return LOCUST + name  # such as USERS: a name of Locust's without its prefix
    return near
