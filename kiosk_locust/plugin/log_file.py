"""The log file: what the plugin and Locust log, in a file that rotates."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from time import monotonic

from kiosk_locust.filesystem import disk_space
from kiosk_locust.formatting.log_lines import PlainFormatter

MAX_BYTES = 10_000_000
BACKUPS = 3
FORMAT = "[%(asctime)s] %(levelname)s %(name)s: %(message)s"
LOGGERS = ("kiosk_locust", "locust")
#: How often it is looked how much room the disk has.
LOOK_AT_ROOM_S = 1.0


class LogFile(RotatingFileHandler):
    """A file that never has more than ``MAX_BYTES``, and leaves room on its disk.

    Where there is less, lines are left out, and counted; the console goes on. ``now`` gives
    seconds that never go back.
    """

    def __init__(self, path: Path, now: Callable[[], float] = monotonic) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8")
        self.setFormatter(PlainFormatter(logging.Formatter(FORMAT)))
        self._now = now
        self._looked_at: float | None = None
        self._left_out = 0
        self._lacks_room = False

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  its own name
        """Tell if the record would make the file too large, counted in bytes."""
        if self.stream is None:
            self.stream = self._open()
        line_bytes = len(self.format(record).encode("utf-8", "backslashreplace")) + 1
        return self.stream.tell() > 0 and self.stream.tell() + line_bytes > self.maxBytes

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, unless its disk has too little room."""
        if self._has_room():
            super().emit(record)
        else:
            self._left_out += 1

    def _has_room(self) -> bool:
        if self._looked_at is not None and self._now() - self._looked_at < LOOK_AT_ROOM_S:
            return not self._lacks_room
        self._looked_at = self._now()
        folder = Path(os.path.dirname(self.baseFilename))
        lack = disk_space.lack_of(folder, disk_space.LOG_FILE)
        had_room, self._lacks_room = not self._lacks_room, bool(lack)
        if lack and had_room:
            logging.getLogger(__name__).warning(
                "nothing more is logged to %s: %s (LOG_FILE)", *(self.baseFilename, lack)
            )
        if not lack and self._left_out:
            left_out, self._left_out = self._left_out, 0
            text = f"{left_out:,} lines were left out before this one, for want of room"
            super().emit(logging.makeLogRecord(_warning(text)))
        return not lack


def _warning(text: str) -> dict[str, object]:
    return {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}


def open_log(path: Path, level: str) -> logging.Handler:
    """Log to ``path`` from ``level`` on, and rotate it at 10 MB; the console stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = LogFile(path)
    handler.setLevel(level)
    _keep_console_level()
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
    ours = logging.getLogger("kiosk_locust")
    ours.setLevel(min(ours.getEffectiveLevel(), handler.level))
    return handler


def close_log(handler: logging.Handler) -> None:
    """Log there no more."""
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(handler)
    handler.close()


def _keep_console_level() -> None:
    """A more talkative file must not make the console more talkative."""
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setLevel(max(handler.level, root.level))
