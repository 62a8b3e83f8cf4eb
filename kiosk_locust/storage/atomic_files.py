"""Files that appear whole or not at all, and what is left of them when their process dies."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from kiosk_locust.filesystem.symlinks import leads_out, open_part
from kiosk_locust.model import file_names

logger = logging.getLogger(__name__)

#: The name of a file that is being written, with the process that does.
_PART = re.compile(r"\.(?P<name>.+)\.\d+\.part")
#: What comes after a ledger's name in that of a copy of it, with the process that makes it.
_COPY = re.compile(
    r"(\.gz)?\.(?P<pid>\d+)\.(part|checkpoint|found|fetched|restored)(\.part|(\.db){0,2})"
    r"(-journal|-wal|-shm)?"
    r"|\.(fetched(\.part)?|restored(-journal|-wal|-shm)?)"  # of older versions
)


@contextlib.contextmanager
def whole_file(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """A file to write in the place of ``path``, which it takes once it is on the disk.

    Its folder is made. Where the block raises, ``path`` stays as it was. A link at ``path`` is
    replaced, and not followed. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    try:
        with open_part(part, "xb", buffering) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """The file in which this process writes what becomes ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def remove_parts(
    ledger: Path, run_name: str, run_id: str, folders: Iterable[Path], others: Iterable[Path] = ()
) -> None:
    """Delete what dead processes of a run left half written in ``folders`` and beside ``others``.

    To be called by the process that has the ledger's lock, while it writes none of them but
    checkpoints. What cannot be deleted is a warning.
    """
    whole = {f"{ledger.stem}.html", f"{run_name}.html", f"{run_name}.json"}
    for folder in {folder.absolute() for folder in folders}:
        for path in _files(folder):
            part = _PART.fullmatch(path.name)
            if part and (part["name"] in whole or file_names.is_result_of(part["name"], run_id)):
                _remove(path)
    for path in _files(ledger.parent.absolute()):
        prefix, _, rest = path.name.partition(ledger.name)
        copy = _COPY.fullmatch(rest) if prefix == "." else None
        if copy and copy["pid"] != str(os.getpid()):  # it may just be sending a checkpoint
            _remove(path)
    for other in others:
        for path in _files(other.absolute().parent):
            part = _PART.fullmatch(path.name)
            if part and part["name"] == other.name:
                _remove(path)


def remove_downloads(folder: Path) -> None:
    """Delete what dead processes left half downloaded in ``folder``, unless it leads elsewhere."""
    if leads_out(folder):
        return
    for path in _files(folder):
        if path.suffix == ".part":
            _remove(path)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []


def _remove(path: Path) -> None:
    try:
        path.unlink()
        logger.info("%s is gone: a process that died had left it half written", path)
    except OSError as error:
        logger.warning("%s is half written, and cannot be deleted: %s", path, error.strerror)
