"""Atomic file writing, and removal of the parts that dead processes left."""

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

#: Name of a file that is being written, with the writing process's id.
_PART = re.compile(r"\.(?P<name>.+)\.\d+\.part")
#: Suffix of a ledger copy's name, with the id of the process that makes it.
_COPY = re.compile(
    r"(\.gz)?\.(?P<pid>\d+)\.(part|checkpoint|found|fetched|restored)(\.part|(\.db){0,2})"
    r"(-journal|-wal|-shm)?"
    r"|\.(fetched(\.part)?|restored(-journal|-wal|-shm)?)"  # of older versions
)


@contextlib.contextmanager
def atomic_file(path: Path, buffering: int = -1) -> Iterator[BinaryIO]:
    """Temporary file that replaces ``path`` once it is complete and on the disk.

    Its folder is created. If the block raises, ``path`` stays unchanged. A link at ``path`` is
    replaced, not followed.

    Raises:
        OSError: The file cannot be written.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_path(path)
    try:
        with open_part(part, "xb", buffering) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def part_path(path: Path) -> Path:
    """File in which this process writes the new content of ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def remove_parts(
    ledger: Path, run_name: str, run_id: str, folders: Iterable[Path], others: Iterable[Path] = ()
) -> None:
    """Delete partial files that dead processes of a run left.

    Call it in the process that holds the ledger's lock, before it writes any of them except
    checkpoints. A failed deletion is logged as a warning.

    Args:
        ledger: The run's ledger.
        run_name: The run's name.
        run_id: The run's id.
        folders: Folders of the run's results and reports.
        others: Further files, whose parts are beside them.

    """
    report_names = {f"{ledger.stem}.html", f"{run_name}.html", f"{run_name}.json"}
    for folder in {folder.absolute() for folder in folders}:
        for path in _files(folder):
            part = _PART.fullmatch(path.name)
            if part and (
                part["name"] in report_names or file_names.is_result_of(part["name"], run_id)
            ):
                _remove(path)
    for path in _files(ledger.parent.absolute()):
        prefix, _, rest = path.name.partition(ledger.name)
        copy = _COPY.fullmatch(rest) if prefix == "." else None
        if copy and copy["pid"] != str(os.getpid()):  # this process may be sending a checkpoint
            _remove(path)
    for target in others:
        for path in _files(target.absolute().parent):
            part = _PART.fullmatch(path.name)
            if part and part["name"] == target.name:
                _remove(path)


def remove_downloads(folder: Path) -> None:
    """Delete partial downloads of dead processes in ``folder``, unless it is a link elsewhere."""
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
