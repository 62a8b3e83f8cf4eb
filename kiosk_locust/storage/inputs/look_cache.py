"""A cache of what searches saw in files: those that have not changed are not opened again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from kiosk_locust.storage.inputs.kinds import Look, NoInput, look_at

#: A file that was changed so short a time before may change again without another time stamp: some
#: file systems count whole seconds, or two.
_SETTLED_S = 3.0


class Looks:
    """The looks of the last search, by path and by what the file system says of each file.

    For one search at a time to be added to; several may read what the one before saw.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._known: dict[str, tuple[int, Look | str]] = {}
        self.now = now

    def begin(self) -> Search:
        """Begin a search."""
        return Search(self, self._known)

    def keep(self, looks: dict[str, tuple[int, Look | str]]) -> None:
        """Keep what a search saw, and nothing of the one before."""
        self._known = looks


class Search:
    """One search over ``known`` looks; ``end`` keeps it in ``looks``."""

    def __init__(self, looks: Looks, known: dict[str, tuple[int, Look | str]]) -> None:
        self._looks = looks
        self._known = known
        self._found: dict[str, tuple[int, Look | str]] = {}

    def look_at(self, path: Path, status: os.stat_result) -> Look:
        """See `kinds.look_at`; ``status`` is the file's. Raises NoInput and OSError."""
        name, state = os.fspath(path), _state(status)
        look = self._known.get(name)
        if look is None or look[0] != state:
            look = (state, _seen(path))
        if self._looks.now() - max(status.st_mtime, status.st_ctime) > _SETTLED_S:
            self._found[name] = look
        if isinstance(look[1], str):
            raise NoInput(look[1])
        return look[1]

    def end(self) -> None:
        """Have the next search know what this one saw."""
        self._looks.keep(self._found)


def _seen(path: Path) -> Look | str:
    """Look at a file: its kind, or the reason why it is no input; raises OSError."""
    try:
        return look_at(path)
    except NoInput as error:
        return str(error)


def _state(status: os.stat_result) -> int:
    """One number for what changes with a file's content."""
    return hash(
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    )
