"""Verdict on a file's completeness."""

from __future__ import annotations

from typing import NamedTuple


class FileVerdict(NamedTuple):
    """Problem of a file, as in “a.tif is a TIFF that was cut off”; empty: none.

    A ``fault`` certainly makes its consumer fail, or read less than the file should have; a
    ``doubt`` may, and only the consumer can tell.
    """

    fault: str = ""
    doubt: str = ""


WHOLE = FileVerdict()
