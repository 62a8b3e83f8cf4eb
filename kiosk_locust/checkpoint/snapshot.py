"""Copies of a ledger: taken while it is written to, compressed; and made a ledger again."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import zlib
from pathlib import Path
from typing import IO

from kiosk_locust.errors import LedgerError
from kiosk_locust.filesystem.symlinks import open_part
from kiosk_locust.ledger import copies
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.storage.bucket import Address

#: Of gzip: one that costs little time; the ledger shrinks to a fifth.
_SPEED = 1
#: No ledger shrinks so far: one of 100,000 tickets shrinks to a seventh. Short ones may.
MOST_TIMES, LEAST_BYTES = 200, 64 << 20
#: So much of the disk is left to the run that goes on.
RESERVE_BYTES = 16 << 20
_PIECE = 1 << 20


def object_name(address: Address, run_name: str) -> str:
    """Where in a bucket the checkpoint of a run is."""
    return address.results(f"{run_name}/checkpoint.db.gz")


def pack(ledger: Path, mark: Mark, packed: Path) -> None:
    """Copy the ledger as it is at this moment, with ``mark`` in it, compressed to ``packed``.

    By SQLite's online backup in one step: who writes to the ledger is not held up. To be called in
    a real thread. Raises OSError and sqlite3.Error.
    """
    copy = packed.with_name(f"{packed.name}.db")
    try:
        open_part(copy).close()  # SQLite would follow a link of that name
        copies.backup(ledger, copy, mark)
        with (
            copy.open("rb") as plain,
            open_part(packed) as file,
            gzip.GzipFile("", "wb", _SPEED, file, mtime=0) as stream,
        ):
            shutil.copyfileobj(plain, stream, 1 << 20)
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def unpack(packed: Path, ledger: Path, called: str) -> None:
    """Make a ledger of what `pack` made; nothing is left of one that cannot be made whole.

    ``called`` is what messages call it. Raises LedgerError where it is damaged, or longer than any
    that `pack` made; OSError where it cannot be written, and before anything is where the disk has
    no room for it.
    """
    most = max(LEAST_BYTES, MOST_TIMES * packed.stat().st_size)
    try:
        check_room(ledger.parent, _plain_bytes(packed))
        with gzip.open(packed, "rb") as stream, open_part(ledger) as file:
            is_whole = _copy(stream, file, ledger.parent, most)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        ledger.unlink(missing_ok=True)
        raise LedgerError(f"{called} is damaged: {error}") from error
    except OSError:
        ledger.unlink(missing_ok=True)
        raise
    if not is_whole:
        ledger.unlink()
        raise LedgerError(
            f"{called} is none that kiosk_locust wrote: unpacked, it has more than {_mb(most)}, and"
            f" no ledger shrinks to less than 1/{MOST_TIMES}"
        )


def _copy(stream: gzip.GzipFile, file: IO[bytes], folder: Path, most: int) -> bool:
    """Copy to the end, or not at all to the end where that is more than ``most`` bytes."""
    copied = 0
    while piece := stream.read(_PIECE):
        copied += len(piece)
        if copied > most:
            return False
        check_room(folder, len(piece))
        file.write(piece)
    return True


def check_room(folder: Path, size: int) -> None:
    """Raise OSError where ``folder`` has no room for so many bytes, and `RESERVE_BYTES` beside."""
    free = shutil.disk_usage(folder).free
    if free - RESERVE_BYTES < size:
        raise OSError(
            errno.ENOSPC,
            f"it takes {_mb(size)}, and {_mb(RESERVE_BYTES)} are left to the run, but {folder} has"
            f" {_mb(free)} free",
        )


def _plain_bytes(packed: Path) -> int:
    """Unpacked size in bytes, as the file's end states it (modulo 4 GiB)."""
    with packed.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 4))
        return int.from_bytes(file.read(4), "little")


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
