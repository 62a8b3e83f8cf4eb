"""The log file: what the plugin and Locust log, in a file that rotates."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 10_000_000
BACKUPS = 3
FORMAT = "[%(asctime)s] %(levelname)s %(name)s: %(message)s"
LOGGERS = ("kiosk_locust", "locust")


def open_log(path: Path, level: str) -> logging.Handler:
    """Log to ``path`` from ``level`` on, and rotate it at 10 MB; the console stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8")
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(FORMAT))
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
