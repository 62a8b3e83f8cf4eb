"""Lines of logs that a terminal shows as they are: no escape sequences, and of bounded length.

What others wrote stands in them: a job's reason in Locust's report of errors, an exception's text,
a worker's name. All that Locust prints while it runs goes through the handlers that it makes, so
these are the one place where it is made plain.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from kiosk_locust.formatting.excerpt import plain_lines, without_middle

#: The most characters of one record: a deep traceback, and the file rotates at 300 times as much.
MOST_CHARS = 32_768
#: The loggers whose handlers are Locust's, by `locust.log.setup_logging`, and the names of these.
LOGGERS = ("", "locust", "locust.stats_logger")
HANDLERS = frozenset({"console", "console_plain", "log_reader", "file"})


class PlainFormatter(logging.Formatter):
    """Formats a record as another formatter does, and makes that plain."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The record's text, plain and at most MOST_CHARS long."""
        return _plain(self.inner.format(record))


class PlainErrors:
    """Standard error as a stream that makes plain what is written to it."""

    def write(self, text: str) -> int:
        """Write it; what standard error is, is looked up each time."""
        return sys.stderr.write(_plain(text))

    def flush(self) -> None:
        """Have it shown."""
        sys.stderr.flush()


def _plain(text: str) -> str:
    """Plain, and clipped: before, since that takes time, and after, since escapes are longer."""
    return without_middle(plain_lines(without_middle(text, MOST_CHARS)), MOST_CHARS)


def make_plain(loggers: Iterable[str] = LOGGERS) -> None:
    """Make what Locust's own handlers print plain; a program's are its own. May be called again."""
    for name in loggers:
        for handler in logging.getLogger(name).handlers:
            if handler.name in HANDLERS and not isinstance(handler.formatter, PlainFormatter):
                inner = handler.formatter or logging.Formatter()
                handler.setFormatter(PlainFormatter(inner))
