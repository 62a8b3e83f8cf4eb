"""Symbolic links in folders that others may write to: what is written or given away follows none.

A folder that itself is a link is whoever's who named it; what is meant here are links in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal


def leads_out(path: Path) -> bool:
    """Whether ``path`` is a link to something that is not in its own folder; raises OSError.

    The folder may be reached by links. A link that leads nowhere, or in a circle, leads out.
    """
    if not path.is_symlink():
        return False
    try:
        return not path.resolve(strict=True).is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError):
        return True


def open_part(path: Path, mode: Literal["xb", "ab", "r+b"] = "xb", buffering: int = -1) -> BinaryIO:
    """Open a file that this process alone writes, never through a link; raises OSError.

    ``xb`` makes it anew, whatever has its name; the others go on with it. A link of that name is
    deleted, and what it leads to stays as it was. ``buffering`` is that of `open` (bytes).
    """
    if mode == "xb" or path.is_symlink():
        path.unlink(missing_ok=True)
    return open(path, mode, buffering, opener=_opener)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
