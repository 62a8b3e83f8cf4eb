"""Files of this machine that the web form may name: below folders of whoever started the process.

These are FORM_FILES, and FILE as flags, environment or configuration files give it. Nothing else
is looked at, so that the answer to a path elsewhere does not tell whether there is such a file.
To a Kiosk that the form names instead of theirs, files go from below FORM_FILES alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kiosk_locust.config import parsers
from kiosk_locust.config.sources import FORM, Given, Layers

ADVICE = (
    "is not below a folder that the form may name files from: whoever starts this process names"
    " one with --form-files DIR (FORM_FILES)"
)

ANOTHERS_ADVICE = (
    "goes to {ours} alone, which whoever started this process named, and not to {theirs}: they"
    " may name its folder with --form-files DIR (FORM_FILES)"
)


def is_allowed(given: Given, layers: Layers) -> bool:
    """Tell if the path in ``given`` may be looked at; links in it are followed first."""
    if given.place != FORM:
        return True
    path = _resolved(given.text)
    return path is not None and any(path.is_relative_to(root) for root in roots(layers))


def may_go_to_another(text: str, layers: Layers) -> bool:
    """Whether a file may be uploaded to a Kiosk that a form named instead of the operator's."""
    path = _resolved(text)
    folders = layers.operators.text("form_files").split(",")
    return path is not None and any(map(path.is_relative_to, filter(None, map(_resolved, folders))))


def roots(layers: Layers) -> Iterator[Path]:
    """The folders and files, absolute and without links, that the operator of a process named."""
    operators = layers.operators
    texts = [*operators.text("form_files").split(","), *(g.text for g in operators.all("file"))]
    return filter(None, map(_resolved, texts))


def _resolved(text: str) -> Path | None:
    """The path without links; None where it is none, or is empty."""
    try:
        path = parsers.path(text.strip())
        return path.resolve() if text.strip() else None
    except (ValueError, OSError, RuntimeError):
        return None
