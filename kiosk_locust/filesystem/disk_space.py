"""Room on a disk that is kept for what matters more than the next thing to be written.

What is written in a run gives way in this order, so that what cannot be made again is the last to
lack room: results of jobs that are downloaded, copies of the ledger for the bucket, lines of the
log file, further jobs, the report. The ledger of jobs under way and the results file come after
all of them.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

_MIB = 2**20
_MOST = 64 * _MIB
#: Of a disk no more than such a share is kept free, even for the greatest reserve.
_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Reserve:
    """Bytes that are left free by somebody who writes; fewer of a small disk."""

    size: int

    def bytes_of(self, disk_bytes: int) -> int:
        """The reserve in bytes on a disk of ``disk_bytes``."""
        return int(self.size * min(1.0, disk_bytes * _SHARE / _MOST))


DOWNLOADS = Reserve(_MOST)
CHECKPOINTS = Reserve(48 * _MIB)
LOG_FILE = Reserve(32 * _MIB)
#: The ends of some ten thousand jobs under way, and SQLite's log of 4 MiB.
JOBS = Reserve(16 * _MIB)
REPORT = Reserve(8 * _MIB)


class NoRoom(OSError):
    """The disk has less room than is to be left to what matters more; says what to do."""

    def __str__(self) -> str:
        """The message, without the number of the error."""
        return str(self.strerror)


def lack_of(folder: Path, reserve: Reserve, size: int = 0) -> str:
    """The message for a disk where ``size`` more bytes in ``folder`` would use up the reserve.

    Empty where the reserve stays free, and where the disk cannot be asked: the write itself fails
    then. A folder that does not exist yet is on the disk of its nearest parent.
    """
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        disk = os.statvfs(existing)
    except OSError:
        return ""
    free, wanted = disk.f_bavail * disk.f_frsize, reserve.bytes_of(disk.f_blocks * disk.f_frsize)
    if free - size >= wanted:
        return ""
    shortage = f"{size:,} bytes more would leave less than" if size else "which is less than"
    return (
        f"the disk of {folder} has {free:,} bytes free, {shortage} the {wanted:,} bytes that are"
        " kept for what matters more: make room, or give a folder on another disk"
    )


def require(folder: Path, reserve: Reserve, size: int = 0) -> None:
    """Raise NoRoom where ``size`` bytes more in ``folder`` would not leave the reserve free."""
    if lack := lack_of(folder, reserve, size):
        raise NoRoom(errno.ENOSPC, lack)
