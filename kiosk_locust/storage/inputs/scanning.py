"""Searches of FILE in a real thread, with a word on how far they have got."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from kiosk_locust.formatting import units
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs.finding import Found, Rules, SearchProgress, find
from kiosk_locust.storage.inputs.look_cache import Looks

logger = logging.getLogger(__name__)

#: A search is spoken of after so many seconds, and then again and again.
FIRST_WORD_S, NEXT_WORD_S = 2.0, 5.0

#: Finds what is at a path; raises OSError where that cannot be read.
Find = Callable[[Path, Rules], Found]
Say = Callable[[str], None]


def scan(path: Path, rules: Rules, say: Say = logger.info, looks: Looks | None = None) -> Found:
    """Search ``path`` in a real thread, so that greenlets go on meanwhile.

    See `finding.find` for ``looks``.
    """
    progress = SearchProgress()
    speaker = gevent.spawn(_speak, path, progress, say)
    try:
        found = in_thread(lambda: find(path, rules, progress, looks))
    finally:
        speaker.kill()
    took_s = time.monotonic() - progress.begun
    if took_s >= FIRST_WORD_S:
        say(f"looked through {path}: {units.count(progress.looked_at, 'file')} in {took_s:.1f} s")
    return found


class Scans:
    """The searches of a process, of which the last one is kept for the start that it was made for.

    Settings are checked before a run starts, and resolved once more when it does: the plan is then
    of the files that the check was about. ``looks``, if given, knows files that have not changed:
    a page is shown, a form is checked, and checked again.
    """

    def __init__(self, looks: Looks | None = None) -> None:
        self._kept: tuple[Path, Rules, Found] | None = None
        self._looks = looks

    def anew(self, path: Path, rules: Rules) -> Found:
        """Search, and keep what there is for the start that follows."""
        found = scan(path, rules, looks=self._looks)
        self._kept = (path, rules, found)
        return found

    def kept(self, path: Path, rules: Rules) -> Found:
        """What was kept of the same search, once; else a search."""
        kept, self._kept = self._kept, None
        if kept is not None and kept[:2] == (path, rules):
            return kept[2]
        return scan(path, rules, looks=self._looks)


def _speak(path: Path, progress: SearchProgress, say: Say) -> None:
    gevent.sleep(FIRST_WORD_S)
    while True:
        say(in_words(path, progress, time.monotonic() - progress.begun))
        gevent.sleep(NEXT_WORD_S)


def in_words(path: Path, progress: SearchProgress, elapsed_s: float) -> str:
    """How far a search has got, after ``elapsed_s`` seconds."""
    if not progress.is_listed:
        return f"listing {path}: {units.count(progress.listed, 'file')} so far"
    rate = progress.looked_at / elapsed_s if elapsed_s else 0.0
    left = ""
    if rate and progress.looked_at:
        left_s = (progress.listed - progress.looked_at) / rate
        left = f", {rate:,.0f} files/s, about {left_s:.0f} s left"
    return (
        f"looking through {path}: {progress.looked_at:,} of"
        f" {units.count(progress.listed, 'file')} so far{left}"
    )
