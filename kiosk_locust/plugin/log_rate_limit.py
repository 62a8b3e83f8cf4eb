"""A limit on log records that repeat, so that what fails in a loop fills no disk.

A traceback is logged once, then its first line; after ``FIRST`` records of a kind there is one in
``EVERY_S``, which says how many were left out. Records are of one kind if they differ in numbers
only.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

#: So many records of a kind are logged before any is left out.
FIRST = 20
#: From then on, one in so many seconds.
EVERY_S = 10.0
#: Memory is bounded: all further kinds of a logger are taken for one.
MOST_KINDS = 200

_NUMBER = re.compile(r"0x[0-9a-f]+|\d+", re.IGNORECASE)
_TRACEBACK = "Traceback (most recent call last)"

Key = tuple[str, int, str]


@dataclass(slots=True)
class _Kind:
    line: str
    logger: str
    level: int
    count: int = 0
    left_out: int = 0
    last_s: float = 0.0


class RepeatFilter(logging.Filter):
    """Limits the ERROR records of the loggers that it is added to.

    ``now`` gives seconds that never go back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._kinds: dict[Key, _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether ``record`` is to be logged; one that repeats is shortened."""
        if record.levelno < logging.ERROR:
            return True
        text = _text(record)
        kind = self._kind_of(record, text)
        kind.count += 1
        if kind.count == 1:
            return True
        now = self._now()
        if kind.count > FIRST and now - kind.last_s < EVERY_S:
            kind.left_out += 1
            return False
        kind.last_s = now
        _shorten(record, text, kind.left_out)
        kind.left_out = 0
        return True

    def tell_rest(self) -> None:
        """Log how many records were left out of each kind since the last that was logged."""
        for kind in list(self._kinds.values()):
            if kind.left_out:
                left_out, kind.left_out = kind.left_out, 0
                logger = logging.getLogger(kind.logger)
                logger.warning("%s (and %s more like it)", kind.line, f"{left_out:,}")

    def _kind_of(self, record: logging.LogRecord, text: str) -> _Kind:
        key = (record.name, record.levelno, _NUMBER.sub("#", text))
        kind = self._kinds.get(key)
        if kind is None:
            line = _first_line(text)
            if len(self._kinds) >= MOST_KINDS:
                key, line = (record.name, record.levelno, ""), "another error"
            kind = self._kinds.setdefault(key, _Kind(line, record.name, record.levelno))
        return kind


def _text(record: logging.LogRecord) -> str:
    """The message, with the error that a traceback behind it would end with."""
    error = record.exc_info[1] if record.exc_info else None
    text = record.getMessage()
    return text if error is None else f"{text}: {error!r}"


def _first_line(text: str) -> str:
    """The first line that says something; of a traceback, the last one, which has the error."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    if len(lines) > 1 and (_TRACEBACK in lines[0] or lines[0].rstrip().endswith(":")):
        first = lines[0].strip().removesuffix(":")
        return lines[-1] if _TRACEBACK in lines[0] else f"{first}: {lines[-1].strip()}"
    return lines[0]


def _shorten(record: logging.LogRecord, text: str, left_out: int) -> None:
    """Leave the first line of what was logged before, and say how many were left out."""
    line = _first_line(text)
    record.msg = "%s (and %s more since)" if left_out else "%s"
    record.args = (line, f"{left_out:,}") if left_out else (line,)
    record.exc_info = None
    record.exc_text = None
