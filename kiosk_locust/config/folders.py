"""Checks of paths: near the run, and writable (tested by writing, without leaving files)."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile


def is_near(path: Path, *folders: Path) -> bool:
    """Tell if ``path`` is in the working folder or in one of ``folders``, links resolved.

    The root of the file system does not count, since everything is in it. Hidden parts of a folder
    (``.git``) do not count either.
    """
    real = path.absolute().resolve()
    return any(_is_in(real, folder.absolute().resolve()) for folder in (Path(), *folders))


def _is_in(real: Path, folder: Path) -> bool:
    if folder == Path(folder.anchor) or not real.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in real.relative_to(folder).parts)


def check_folder(folder: Path) -> None:
    """Check that files can be written in ``folder``, or that it can be created.

    A missing folder is not created, since another process may check at the same time: a file is
    written in its nearest existing parent.

    Raises:
        ValueError: No file can be written there.

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
    """Check that ``path`` can be written as a file.

    Raises:
        ValueError: It cannot.

    """
    try:
        # Without O_NONBLOCK, opening a named pipe would block until it has a reader.
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK))
    except FileNotFoundError:
        check_folder(path.parent)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"the file cannot be written ({reason}); name another one") from error
