"""Plain log lines: without escape sequences, and of bounded length.

Log lines contain foreign text: a job's reason in Locust's report of errors, an exception's text, a
worker's name. Everything that Locust prints while it runs passes its own handlers, so the
formatters of these are the one place to make it plain.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from kiosk_locust.formatting.excerpt import plain_lines, without_middle

#: Longest record, in characters: fits a deep traceback; the log file rotates at 300 times as much.
MOST_CHARS = 32_768
#: Loggers with handlers of `locust.log.setup_logging`, and the names of those handlers.
LOGGERS = ("", "locust", "locust.stats_logger")
HANDLERS = frozenset({"console", "console_plain", "log_reader", "file"})


class PlainFormatter(logging.Formatter):
    """Formatter that makes the output of another formatter plain."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record's text, plain and at most `MOST_CHARS` long."""
        return _plain(self.inner.format(record))


class PlainErrors:
    """Stream to standard error that makes written text plain."""

    def write(self, text: str) -> int:
        """Write ``text`` to the current ``sys.stderr``."""
        return sys.stderr.write(_plain(text))

    def flush(self) -> None:
        """Flush standard error."""
        sys.stderr.flush()


def _plain(text: str) -> str:
    """``text``, plain and clipped: before escaping for speed, after since escapes are longer."""
    return without_middle(plain_lines(without_middle(text, MOST_CHARS)), MOST_CHARS)


def make_plain(loggers: Iterable[str] = LOGGERS) -> None:
    """Make the output of Locust's own handlers plain; other handlers stay. Idempotent."""
    for name in loggers:
        for handler in logging.getLogger(name).handlers:
            if handler.name in HANDLERS and not isinstance(handler.formatter, PlainFormatter):
                inner = handler.formatter or logging.Formatter()
                handler.setFormatter(PlainFormatter(inner))
