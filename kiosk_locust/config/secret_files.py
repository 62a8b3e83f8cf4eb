"""Secrets in files: NAME_FILE names a file that holds the value of NAME.

Container platforms pass secrets as files, since an environment is visible to child processes and
in ``/proc``. Each of `SECRETS` can be set this way, in the environment or in ``.env``. No message
shows a file's content.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_locust.config.env_file import DOTENV
from kiosk_locust.config.table import SECRETS, Secret
from kiosk_locust.errors import Mistake, TextFileError
from kiosk_locust.filesystem.text_files import read_text

ENVIRONMENT = "the environment"
#: Several times the longest token; HTTP servers accept no longer header.
MAX_BYTES = 16 * 2**10


@dataclass(frozen=True, slots=True)
class SecretSources:
    """All secrets by name, from the environment and ``.env``, by value or by file.

    ``files`` has the paths that were read, by the variables that name them.
    """

    environment: Mapping[str, str] = field(repr=False)
    dotenv: Mapping[str, str] = field(repr=False)
    files: Mapping[str, Path] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()

    def get(self, name: str) -> str:
        """Value of a secret, the environment before ``.env``; empty if it is not set."""
        return self.environment.get(name, "") or self.dotenv.get(name, "")


def read_secrets(environ: Mapping[str, str], dotenv: Mapping[str, str]) -> SecretSources:
    """Collect all secrets, reading those in files; mistakes are returned, not raised.

    A file's secret belongs to the place of its variable, and a name in the environment overrides
    the same name in ``.env``. NAME and NAME_FILE together are a mistake, in any places.
    """
    places = {ENVIRONMENT: environ, DOTENV: dotenv}
    values: dict[str, dict[str, str]] = {
        place: {secret.env: source.get(secret.env, "") for secret in SECRETS}
        for place, source in places.items()
    }
    files: dict[str, Path] = {}
    mistakes: list[Mistake] = []
    for secret in SECRETS:
        by_file = list(_places(secret.file_env, places))
        if not by_file:
            continue
        if by_value := list(_places(secret.env, places)):
            mistakes.append(_set_twice(secret, by_value[0], by_file[0]))
            continue
        path = Path(os.path.expanduser(places[by_file[0]][secret.file_env]))
        try:
            values[by_file[0]][secret.env] = _read(path)
        except TextFileError as error:
            source = f"{secret.file_env} in {by_file[0]}"
            mistakes.append(Mistake(source, _shown(path), str(error)))
        else:
            files[secret.file_env] = path
    return SecretSources(
        environment=values[ENVIRONMENT],
        dotenv=values[DOTENV],
        files=files,
        mistakes=tuple(mistakes),
    )


def _places(name: str, places: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Places in which a name has a non-empty value."""
    return (place for place, source in places.items() if source.get(name))


def _set_twice(secret: Secret, value_in: str, file_in: str) -> Mistake:
    advice = f"{secret.env} is set, too, in {value_in}: keep one of them"
    return Mistake(f"{secret.file_env} in {file_in}", "", advice)


def _shown(path: Path) -> str:
    """Path for a message; empty if it may be a secret written in place of a path."""
    return str(path) if path.is_absolute() or os.path.lexists(path) else ""


def _read(path: Path) -> str:
    """The one line of a file, without its newline.

    Raises:
        TextFileError: The file is not usable; the message does not quote it.

    """
    value = read_text(path, max_bytes=MAX_BYTES, quoted=False).rstrip("\n")
    if not value.strip():
        raise TextFileError("the file is empty: write the secret into it")
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise TextFileError(
            "the file holds several lines or control characters: write the secret alone into it"
        )
    return value
