"""The body of a request: bytes, or a file that is read while it is sent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import gevent

from kiosk_locust.errors import InputError

#: So much of a file is in memory at once.
CHUNK_BYTES = 256 * 1024
JSON = "application/json"


class Body(Protocol):
    """What a request sends after its head, in pieces."""

    @property
    def content_type(self) -> str:
        """Its media type."""

    @property
    def length(self) -> int:
        """All of it, in bytes."""

    def pieces(self) -> Iterator[bytes]:
        """The bytes, from the beginning; exactly ``length`` of them, or InputError is raised."""


class FileForm:
    """A multipart form with one file, as browsers send it; the file is never in memory as a whole.

    ``size`` is what the file had when the run was planned. Read in real threads, so that a slow
    disk stalls nobody else.
    """

    def __init__(self, path: Path, name: str, size: int) -> None:
        self._path = path
        self._size = size
        boundary = f"kiosk-locust-{secrets.token_hex(16)}"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{_escaped(name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @property
    def length(self) -> int:
        """All of it, in bytes."""
        return len(self._head) + self._size + len(self._tail)

    def pieces(self) -> Iterator[bytes]:
        """Head, file and tail; raises InputError where the file is not as it was planned."""
        descriptor = open_input(self._path, self._size)
        threads = gevent.get_hub().threadpool
        try:
            yield self._head
            at = 0
            while at < self._size:
                wanted = min(CHUNK_BYTES, self._size - at)
                piece: bytes | OSError = threads.apply(_read, (descriptor, wanted, at))
                if isinstance(piece, OSError) or not piece:
                    raise _changed(self._path, f"it could not be read beyond {at:,} bytes")
                yield piece
                at += len(piece)
            yield self._tail
        finally:
            os.close(descriptor)


def open_input(path: Path, size: int) -> int:
    """A descriptor to read a planned file by; raises InputError where it is not as it was."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _changed(path, error.strerror or "it cannot be opened") from error
    found = os.fstat(descriptor).st_size
    if found != size:
        os.close(descriptor)
        raise _changed(path, f"it has {found:,} bytes, and had {size:,} when the run was planned")
    return descriptor


def _read(descriptor: int, count: int, at: int) -> bytes | OSError:
    """What is raised in the thread, gevent would print with a traceback."""
    try:
        return os.pread(descriptor, count, at)
    except OSError as error:
        return error


def _changed(path: Path, what: str) -> InputError:
    return InputError(
        f"{path} cannot be uploaded: {what}; leave the files of a run alone while it goes on"
    )


def _escaped(name: str) -> str:
    """A file's name between quotation marks, escaped as browsers do (WHATWG, multipart)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
