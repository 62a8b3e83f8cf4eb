"""Access limits for the web form: local files below folders that the operator allowed.

The folders are FORM_FILES, and FILE as set by flags, environment or configuration files. Other
paths are not accessed, so that a response does not reveal the existence of a file. If the form
names another Kiosk than the operator's, files below FORM_FILES alone may be uploaded to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kiosk_locust.config import parsers
from kiosk_locust.config.sources import FORM, Layers, SettingText

ADVICE = (
    "is not below a folder that the form may name files from: whoever starts this process names"
    " one with --form-files DIR (FORM_FILES)"
)

ANOTHERS_ADVICE = (
    "goes to {ours} alone, which whoever started this process named, and not to {theirs}: they"
    " may name its folder with --form-files DIR (FORM_FILES)"
)


def is_allowed(entry: SettingText, layers: Layers) -> bool:
    """Tell if the path in ``entry`` may be accessed; links in it are resolved first."""
    if entry.place != FORM:
        return True
    path = _resolved(entry.text)
    return path is not None and any(path.is_relative_to(root) for root in roots(layers))


def may_go_to_another(text: str, layers: Layers) -> bool:
    """Tell if a file may be uploaded to a Kiosk that a form named, not the operator."""
    path = _resolved(text)
    folders = layers.operators.text("form_files").split(",")
    return path is not None and any(map(path.is_relative_to, filter(None, map(_resolved, folders))))


def roots(layers: Layers) -> Iterator[Path]:
    """Folders and files named by the operator, absolute and without links."""
    operators = layers.operators
    texts = [*operators.text("form_files").split(","), *(g.text for g in operators.all("file"))]
    return filter(None, map(_resolved, texts))


def _resolved(text: str) -> Path | None:
    """The path without links; None if it is invalid or empty."""
    try:
        path = parsers.path(text.strip())
        return path.resolve() if text.strip() else None
    except (ValueError, OSError, RuntimeError):
        return None
