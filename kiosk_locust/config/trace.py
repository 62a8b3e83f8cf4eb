"""Arrival trace files: start times of jobs in seconds after the cycle's start."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from kiosk_locust.config.parsers import seconds
from kiosk_locust.filesystem.text_files import read_text

_SHOWN = 3  # bad lines named in a message


def read_trace(path: Path) -> tuple[tuple[float, ...], bool]:
    """Offsets in ascending order (s), and True if they had to be sorted.

    The file has one offset per line; blank lines and text after a ``#`` are ignored.

    Raises:
        ValueError: The file is invalid; the message has line numbers and no content, since a web
            form may have named the file.
        TextFileError: It cannot be read.

    """
    lines = read_text(path).split("\n")
    offsets: list[float] = []
    bad: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                offsets.append(seconds(text))
            except ValueError:
                bad.append(f"line {number}")
    if bad:
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        raise ValueError(
            f"{', '.join(bad[:_SHOWN])}{more}: each line must be a time of at least 0, in"
            " seconds or with its unit"
        )
    if not offsets:
        raise ValueError("the file holds no times; write one a line, in seconds")
    in_order = all(before <= after for before, after in pairwise(offsets))
    return tuple(offsets if in_order else sorted(offsets)), not in_order
