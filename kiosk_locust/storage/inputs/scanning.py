"""Searches of FILE in a real thread, with progress messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from kiosk_locust.formatting import units
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs.finding import InputFiles, Rules, SearchProgress, find
from kiosk_locust.storage.inputs.look_cache import InspectionCache

logger = logging.getLogger(__name__)

#: Seconds until the first progress message, and between further ones.
FIRST_WORD_S, NEXT_WORD_S = 2.0, 5.0

#: Finds the files at a path; raises OSError if it cannot be read.
Find = Callable[[Path, Rules], InputFiles]
Say = Callable[[str], None]


def scan(
    path: Path, rules: Rules, say: Say = logger.info, looks: InspectionCache | None = None
) -> InputFiles:
    """Search ``path`` in a real thread, so that greenlets continue meanwhile.

    See `finding.find` for ``looks``.
    """
    progress = SearchProgress()
    reporter = gevent.spawn(_report, path, progress, say)
    try:
        inputs = in_thread(lambda: find(path, rules, progress, looks))
    finally:
        reporter.kill()
    took_s = time.monotonic() - progress.begun
    if took_s >= FIRST_WORD_S:
        say(f"looked through {path}: {units.count(progress.looked_at, 'file')} in {took_s:.1f} s")
    return inputs


class Scans:
    """Searches of a process; the last one is reused by the start that it was made for.

    Settings are checked before a run starts, and resolved again when it does: the plan then has the
    checked files. ``looks``, if set, caches inspections of unchanged files, since a form is checked
    repeatedly.
    """

    def __init__(self, looks: InspectionCache | None = None) -> None:
        self._last: tuple[Path, Rules, InputFiles] | None = None
        self._looks = looks

    def scan_for_start(self, path: Path, rules: Rules) -> InputFiles:
        """Search, and store the result for the start that follows."""
        inputs = scan(path, rules, looks=self._looks)
        self._last = (path, rules, inputs)
        return inputs

    def take_stored(self, path: Path, rules: Rules) -> InputFiles:
        """Stored result of the same search, once; else a new search."""
        last, self._last = self._last, None
        if last is not None and last[:2] == (path, rules):
            return last[2]
        return scan(path, rules, looks=self._looks)


def _report(path: Path, progress: SearchProgress, say: Say) -> None:
    gevent.sleep(FIRST_WORD_S)
    while True:
        say(in_words(path, progress, time.monotonic() - progress.begun))
        gevent.sleep(NEXT_WORD_S)


def in_words(path: Path, progress: SearchProgress, elapsed_s: float) -> str:
    """Progress of a search after ``elapsed_s`` seconds."""
    if not progress.is_listed:
        return f"listing {path}: {units.count(progress.listed, 'file')} so far"
    rate = progress.looked_at / elapsed_s if elapsed_s else 0.0
    remaining = ""
    if rate and progress.looked_at:
        left_s = (progress.listed - progress.looked_at) / rate
        remaining = f", {rate:,.0f} files/s, about {left_s:.0f} s left"
    return (
        f"looking through {path}: {progress.looked_at:,} of"
        f" {units.count(progress.listed, 'file')} so far{remaining}"
    )
