"""Protection from symbolic links in folders that others can write to.

A folder that is itself a link was named by the user and is followed; links inside it are not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Literal


def leads_out(path: Path) -> bool:
    """Tell if ``path`` is a link to a target outside its own folder.

    The folder may be reached by links. A broken or circular link leads out.

    Raises:
        OSError: The path cannot be read.

    """
    if not path.is_symlink():
        return False
    try:
        return not path.resolve(strict=True).is_relative_to(path.parent.resolve())
    except (OSError, RuntimeError):
        return True


def open_part(path: Path, mode: Literal["xb", "ab", "r+b"] = "xb", buffering: int = -1) -> BinaryIO:
    """Open a file for writing, never through a link.

    ``xb`` creates it anew, replacing any file of that name; the other modes continue it. A link of
    that name is deleted; its target stays unchanged. ``buffering`` is that of `open` (bytes).

    Raises:
        OSError: The file cannot be opened.

    """
    if mode == "xb" or path.is_symlink():
        path.unlink(missing_ok=True)
    return open(path, mode, buffering, opener=_opener)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
