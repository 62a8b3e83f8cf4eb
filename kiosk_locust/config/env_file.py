"""The ``.env`` file of the working directory: names and values, and every line that gives none.

python-dotenv says what a line means. What it passes over in silence is a mistake here, since a
setting that is not in force measures something else. No message shows a value: it may be a secret.
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
#: Every name that has a meaning here.
NAMES = (
    *(setting.env for setting in SETTINGS.values() if setting.env),
    *(secret.env for secret in SECRETS),
    *(secret.file_env for secret in SECRETS),
)
#: Names of Locust's own settings begin so.
LOCUST = "LOCUST_"
#: What names the Kiosk that is measured: a slip here would have the simulated one measured.
_HOSTS = ("API_HOST", f"{LOCUST}HOST")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_BEGINNING = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_-]*)")
_LINE_IN_QUOTES = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=")


def read_dotenv(path: Path = Path(DOTENV)) -> dict[str, str]:
    """The names and values of a ``.env`` file, taken literally; none if there is no such file.

    Raises OptionsError with every mistake in it.
    """
    values, mistakes = parse_dotenv(path)
    if mistakes:
        raise OptionsError(mistakes)
    return values


def parse_dotenv(path: Path = Path(DOTENV)) -> tuple[dict[str, str], list[Mistake]]:
    """As `read_dotenv`, but mistakes are returned beside what could be read."""
    if not os.path.lexists(path):
        return {}, []
    try:
        text = read_text(path)
    except TextFileError as error:
        return {}, [Mistake(str(path), "", str(error))]
    values: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for binding in parse_stream(io.StringIO(text)):
        whole = binding.original.string
        blank = len(whole) - len(whole.lstrip())
        line = binding.original.line + whole.count("\n", 0, blank)
        faults = list(_faults(binding, line))
        mistakes += [Mistake(f"{path}, line {line}", "", fault) for fault in faults]
        if binding.key and binding.value is not None and not faults:
            values[binding.key] = binding.value
    return values, mistakes


def _faults(binding: Binding, line: int) -> Iterator[str]:
    """What is wrong with one line, or with the lines of a value in quotes."""
    if binding.error or (binding.key is not None and not _NAME.fullmatch(binding.key)):
        yield _not_understood(binding.original.string)
    elif binding.key is None:
        return  # blank, or a comment
    elif meant := _meant(binding.key):
        yield f"{binding.key} is no setting, and differs from one in spelling only: write {meant}"
    elif binding.value is None:
        yield f"{_shown(binding.key) or 'the name'} has no value: write NAME=value, or leave it out"
    else:
        yield from _swallowed(binding.value, line)


def _not_understood(text: str) -> str:
    start = _BEGINNING.match(text)
    name = _shown(start[1]) if start else ""
    if start and name and text[start.end() :].lstrip().startswith(":"):
        return f"{name} is followed by a colon, so the line is not understood: write {name}=value"
    return f"the line is not understood: write {name or 'NAME'}=value, with quotes closed"


def _swallowed(value: str, line: int) -> Iterator[str]:
    """Settings that stand within quotes which were meant to end before them."""
    for number, text in enumerate(value.split("\n")):
        match = _LINE_IN_QUOTES.match(text) if number else None
        if match and match[1] in NAMES:
            yield f"the quotes take in {match[1]} in line {line + number}: close them before it"


def _shown(name: str) -> str:
    """The setting that a word names, in whatever case; empty where it may be anything else."""
    upper = name.upper().replace("-", "_")
    return upper if upper in NAMES or upper.startswith(LOCUST) else ""


def _meant(name: str) -> str:
    """The setting that a name differs from only in case, or by dashes; empty for none."""
    meant = _shown(name)
    return "" if meant == name else meant


def lookalikes(dotenv: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """A line for each name in ``.env`` that is no setting, but almost one.

    So for names in the environment that differ in case only, unless they are plain words: these
    may be anybody's.
    """
    lines = [
        f"{name} in the environment is no setting: did you mean {meant}?"
        for name in environ
        if "_" in name and (meant := _meant(name)) in NAMES and meant not in environ
    ]
    near = {name: meant for name in dotenv if (meant := _near(name))}
    return lines + [f"{name} in .env is no setting: did you mean {near[name]}?" for name in near]


def hosts_meant(dotenv: Mapping[str, str]) -> list[str]:
    """The names in ``.env`` that are no settings, but almost one that names the Kiosk's host."""
    return [name for name, value in dotenv.items() if value and _near(name) in _HOSTS]


def _near(name: str) -> str:
    """The setting that a name which is none may mean; empty for none."""
    if name in NAMES:
        return ""
    near = nearest(name, NAMES)
    if not near and LOCUST + name in NAMES and f"{LOCUST}{name}" not in _HOSTS:
        return LOCUST + name  # USERS: Locust's own are called so
    return near
