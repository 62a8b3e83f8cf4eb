"""Checks of places for files: near the run, and writable (by writing, leaving nothing behind)."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile


def is_near(path: Path, *folders: Path) -> bool:
    """Tell if ``path`` is in the working folder or in one of ``folders``, links followed.

    The root of the file system is no such folder: everything would be in it. What is hidden in a
    folder (``.git``) is not for others to name.
    """
    real = path.absolute().resolve()
    return any(_is_in(real, folder.absolute().resolve()) for folder in (Path(), *folders))


def _is_in(real: Path, folder: Path) -> bool:
    if folder == Path(folder.anchor) or not real.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in real.relative_to(folder).parts)


def check_folder(folder: Path) -> None:
    """Raise ValueError unless files can be written in ``folder``, or it can be made.

    A folder that is missing is not made: another process may look at it at the same time. A file
    is written in the nearest one above it.
    """
    try:
        existing = next(part for part in (folder, *folder.absolute().parents) if part.exists())
        with TemporaryFile(dir=existing) as file:
            file.write(b"x")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"no file can be written in the folder {str(folder)!r} ({reason}); "
            "name a folder that is writable"
        ) from error


def check_file(path: Path) -> None:
    """Raise ValueError unless ``path`` can be written as a file."""
    try:
        # Without O_NONBLOCK, a named pipe would keep us waiting for its reader.
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
    except FileNotFoundError:
        check_folder(path.parent)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"the file cannot be written ({reason}); name another one") from error
