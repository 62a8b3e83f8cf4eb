"""Disk space reserves: free space that is left for more important files.

Writers of a run stop in this order, so that files that cannot be made again are the last to lack
space: downloaded results of jobs, copies of the ledger for the bucket, lines of the log file,
further jobs, the report. The ledger of running jobs and the results file come last.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

_MIB = 2**20
_LARGEST_BYTES = 64 * _MIB
#: Largest share of a disk that a reserve keeps free.
_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Reserve:
    """Bytes that a writer leaves free; fewer on a small disk."""

    size: int

    def bytes_of(self, disk_bytes: int) -> int:
        """Size of the reserve on a disk of ``disk_bytes``, in bytes."""
        return int(self.size * min(1.0, disk_bytes * _SHARE / _LARGEST_BYTES))


DOWNLOADS = Reserve(_LARGEST_BYTES)
CHECKPOINTS = Reserve(48 * _MIB)
LOG_FILE = Reserve(32 * _MIB)
#: Room for the ends of some ten thousand running jobs, and for SQLite's log of 4 MiB.
JOBS = Reserve(16 * _MIB)
REPORT = Reserve(8 * _MIB)


class NoRoom(OSError):
    """The disk would have less free space than the reserve; the message says what to do."""

    def __str__(self) -> str:
        """The message without the error number."""
        return str(self.strerror)


def lack_of(folder: Path, reserve: Reserve, size: int = 0) -> str:
    """Message if ``size`` more bytes in ``folder`` would use up the reserve; else empty.

    Also empty if the free space cannot be read: the write itself fails then. A folder that does not
    exist yet is on the disk of its nearest parent.
    """
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        disk = os.statvfs(existing)
    except OSError:
        return ""
    free, reserved = disk.f_bavail * disk.f_frsize, reserve.bytes_of(disk.f_blocks * disk.f_frsize)
    if free - size >= reserved:
        return ""
    shortage = f"{size:,} bytes more would leave less than" if size else "which is less than"
    return (
        f"the disk of {folder} has {free:,} bytes free, {shortage} the {reserved:,} bytes that are"
        " kept for what matters more: make room, or give a folder on another disk"
    )


def require(folder: Path, reserve: Reserve, size: int = 0) -> None:
    """Check that the reserve stays free after writing ``size`` bytes in ``folder``.

    Raises:
        NoRoom: It would not.

    """
    if lack := lack_of(folder, reserve, size):
        raise NoRoom(errno.ENOSPC, lack)
