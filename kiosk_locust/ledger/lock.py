"""One process a ledger: a lock that dies with its holder, and where it would be of no use."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kiosk_locust.errors import LedgerError

MOUNTS = Path("/proc/self/mounts")
LOCKS = Path("/proc/locks")
#: File systems on which neither SQLite's locks nor ours can be relied on.
NETWORK_TYPES = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


class Lock:
    """Holds the ledger at ``path`` until it is released or the process dies.

    ``make`` makes the file. It is an flock, which minds neither SQLite's locks (those of fcntl)
    nor readers. On a network file system, where the two are one, nothing is locked. Raises
    LedgerError, with the holder where it can be told, and OSError.

    The file must be locked before SQLite opens it and released after SQLite has closed it:
    closing any descriptor of a file drops the process's fcntl locks on it.
    """

    def __init__(self, path: Path, *, make: bool = False) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if make else 0)
        self._descriptor = os.open(path, flags, 0o644)
        if network_type(path):
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            by = holder(path)
            self.release()
            who = f"process {by}" if by else "another process"
            raise LedgerError(
                f"the ledger {path} is in use: {who} is running it; wait for its end, or end it"
            ) from None

    def release(self) -> None:
        """Let others have it; harmless if that was done before."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def holder(path: Path, locks: Path = LOCKS) -> int | None:
    """The process that holds an flock on ``path``; None where it cannot be told."""
    try:
        found = path.stat()
        lines = locks.read_text("ascii").splitlines()
    except OSError:
        return None
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) > 5 and words[1] == "FLOCK" and words[5] == device and int(words[4]) > 0:
            return int(words[4])
    return None


def network_type(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the network file system that ``path`` is on; empty where it is on none."""
    kind = file_system_type(path, mounts)
    return kind if kind.partition(".")[0] in NETWORK_TYPES else ""


def file_system_type(path: Path, mounts: Path = MOUNTS) -> str:
    """The type of the file system that ``path`` is on; empty where it cannot be told."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    where = path.absolute().resolve()
    best, kind = -1, ""
    for line in lines:
        _device, mounted, mounted_kind, *_ = line.split(" ")
        point = Path(mounted.encode().decode("unicode_escape"))  # a blank stands there as \040
        if where.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), mounted_kind
    return kind
