"""Cache of file inspections: unchanged files are not opened again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from kiosk_locust.storage.inputs.kinds import Inspection, NoInput, inspect_file

#: A file changed within this time (s) may change again with the same time stamp: some file systems
#: have a resolution of one or two seconds.
_SETTLED_S = 3.0


class InspectionCache:
    """Inspections of the last search, by path and file state.

    One search at a time may write to it; several may read the previous one's inspections.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._inspections: dict[str, tuple[int, Inspection | str]] = {}
        self.now = now

    def begin(self) -> Search:
        """Start a search."""
        return Search(self, self._inspections)

    def keep(self, looks: dict[str, tuple[int, Inspection | str]]) -> None:
        """Store the inspections of a search in place of the previous ones."""
        self._inspections = looks


class Search:
    """One search that reuses inspections of the previous one; ``end`` stores its own."""

    def __init__(
        self, looks: InspectionCache, previous: dict[str, tuple[int, Inspection | str]]
    ) -> None:
        self._looks = looks
        self._inspections = previous
        self._current: dict[str, tuple[int, Inspection | str]] = {}

    def inspect_file(self, path: Path, status: os.stat_result) -> Inspection:
        """Inspect a file with the given ``status``, or reuse its inspection.

        Raises:
            NoInput: No job could work on it.
            OSError: It cannot be read.

        """
        name, state = os.fspath(path), _state(status)
        entry = self._inspections.get(name)
        if entry is None or entry[0] != state:
            entry = (state, _inspection_or_reason(path))
        if self._looks.now() - max(status.st_mtime, status.st_ctime) > _SETTLED_S:
            self._current[name] = entry
        if isinstance(entry[1], str):
            raise NoInput(entry[1])
        return entry[1]

    def end(self) -> None:
        """Store this search's inspections for the next one."""
        self._looks.keep(self._current)


def _inspection_or_reason(path: Path) -> Inspection | str:
    """Inspection of a file, or the reason why it is no input.

    Raises:
        OSError: It cannot be read.

    """
    try:
        return inspect_file(path)
    except NoInput as error:
        return str(error)


def _state(status: os.stat_result) -> int:
    """Hash of everything that changes with a file's content."""
    return hash(
        (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    )
