"""Folder in place of a bucket, used by the simulated Kiosk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from kiosk_locust.errors import BucketError, BucketMissing, NameTaken, NoSuchObject, NotPermitted
from kiosk_locust.filesystem.symlinks import open_part
from kiosk_locust.storage.bucket.streams import TURN, Turns

_LOCKED_S = 0.01


class FolderBucket:
    """Bucket whose objects are files below ``folder``, which is created with the first one.

    See `kiosk_locust.storage.bucket.protocol.Bucket` for its methods.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        """The folder's address."""
        return self._folder.absolute().as_uri()

    def url_of(self, name: str) -> str:
        """Address of an object."""
        return f"{self.url}/{quote(name)}"

    def check(self, *, reading: str = "", writing: str = "", replacing: str = "") -> None:
        """Check that files can be read or written there.

        Raises:
            BucketMissing: There is no such folder.
            NotPermitted: This user may not read or write it.

        """
        if not self._folder.is_dir():
            if reading or self._folder.exists():
                raise BucketMissing(f"{self.url} is no folder: make it, or name another")
            return
        if reading and not os.access(self._folder, os.R_OK | os.X_OK):
            raise NotPermitted(f"{self.url} may not be read by this user")
        if (writing or replacing) and not os.access(self._folder, os.W_OK | os.X_OK):
            raise NotPermitted(f"{self.url} may not be written to by this user")

    def exists(self, name: str) -> bool:
        """Tell if there is such a file."""
        return self._path(name).is_file()

    def put(self, path: Path, name: str, *, public: bool = False) -> str:  # noqa: ARG002  no ACLs
        """Copy ``path``; see the protocol."""
        target = self._path(name)
        part = target.with_name(f".{secrets.token_hex(8)}.part")  # a full-length name has no room
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("rb") as source, open_part(part) as file:
                    _copy(source, file)
                os.link(part, target)  # unlike a rename, it overwrites nothing
            finally:
                part.unlink(missing_ok=True)
        except FileExistsError:
            if not target.is_file() or not _are_same(path, target):
                raise NameTaken(f"{self.url_of(name)} is there already, and another") from None
        except OSError as error:
            if error.filename == str(path):
                raise  # the local file cannot be read
            raise self._error(name, error) from error
        return self.url_of(name)

    def generation(self, name: str) -> int:
        """Version of an object, from the file's inode and time; 0 if there is none."""
        status = self._stat(name)
        return 0 if status is None else status.st_mtime_ns << 64 | status.st_ino

    def size(self, name: str) -> int:
        """Size of an object in bytes; 0 if there is none."""
        status = self._stat(name)
        return 0 if status is None else status.st_size

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return self._path(name).stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(name, error) from error

    def replace(
        self,
        path: Path,
        name: str,
        generation: int,
        *,
        public: bool = False,  # noqa: ARG002  no ACLs
    ) -> int:
        """Copy ``path`` over that generation; see the protocol."""
        target = self._path(name)
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("rb") as source, open_part(part) as file:
                    _copy(source, file)
                with _locked(target.parent):  # no other writer between check and rename
                    if self.generation(name) != generation:
                        raise NameTaken(f"{self.url_of(name)} is there already, and another")
                    part.replace(target)
                    return self.generation(name)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            if error.filename == str(path):
                raise
            raise self._error(name, error) from error

    def remove(self, name: str, generation: int) -> None:
        """Delete that generation; see the protocol."""
        target = self._path(name)
        try:
            with _locked(target.parent):
                if self.generation(name) not in (generation, 0):
                    raise NameTaken(f"{self.url_of(name)} is there already, and another")
                target.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(name, error) from error

    def get(self, name: str, path: Path) -> None:
        """Copy to ``path``; see the protocol."""
        part = path.with_name(f"{path.name}.part")
        with self.open(name) as source, open_part(part) as file:
            _copy(source, file)
        part.replace(path)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            NoSuchObject: There is none.

        """
        try:
            return self._path(name).open("rb")
        except OSError as error:
            raise self._error(name, error) from error

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def _path(self, name: str) -> Path:
        """Path of an object.

        Raises:
            BucketError: The name would lead out of the folder.

        """
        parts = name.split("/")
        if any(part in ("", ".", "..") for part in parts) or "\0" in name:
            raise BucketError(f"{name!r} cannot be the name of an object in {self.url}")
        return self._folder.joinpath(*parts)

    def _error(self, name: str, error: OSError) -> BucketError:
        with contextlib.suppress(BucketError):
            if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
                return NoSuchObject(f"{name} is not in {self.url}")
            if isinstance(error, PermissionError):
                return NotPermitted(f"{self.url_of(name)}: {error.strerror}")
        return BucketError(f"{self.url_of(name)}: {error.strerror}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder briefly against other processes that replace files in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCKED_S)  # other greenlets run meanwhile
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # gevent may close a descriptor with a delay
        os.close(descriptor)


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy a stream, yielding to other greenlets: disk access never yields by itself."""
    turns = Turns()
    while block := source.read(TURN):
        target.write(block)
        turns.count(len(block))


def _are_same(path: Path, other: Path) -> bool:
    """Tell if two files have the same content."""
    if path.stat().st_size != other.stat().st_size:
        return False
    turns = Turns()
    with path.open("rb") as first_file, other.open("rb") as second_file:
        while block := first_file.read(TURN):
            if block != second_file.read(TURN):
                return False
            turns.count(len(block))
    return True
