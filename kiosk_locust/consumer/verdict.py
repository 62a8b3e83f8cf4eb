"""The verdict on a file's wholeness."""

from __future__ import annotations

from typing import NamedTuple


class FileVerdict(NamedTuple):
    """What speaks against a file, as in “a.tif is a TIFF that was cut off”; empty: nothing does.

    A ``fault`` surely makes its consumer fail, or read less than the file was made with; a
    ``doubt`` may, and only the consumer can tell.
    """

    fault: str = ""
    doubt: str = ""


WHOLE = FileVerdict()
