"""Reading and writing of files in blocks, yielding to other greenlets in between.

A socket that is always ready, a disk and a checksum never yield by themselves; for 100 MB, that
would delay every poll and every due submission.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import requests

from kiosk_locust.storage import transfer_progress

#: Bytes between two yields: about a millisecond's work.
TURN = 1 << 20
#: A pause of 0 would not suffice: gevent checks its timers only after 50 of those.
PAUSE_S = 1e-4


class Turns:
    """Counter of bytes that yields to other greenlets if gevent has patched ``time``.

    It also reports the progress to the transfer's watcher.
    """

    def __init__(self) -> None:
        self._due = TURN

    def count(self, size: int) -> None:
        """Count ``size`` processed bytes."""
        transfer_progress.moved()
        self._due -= size
        if self._due <= 0:
            self._due = TURN
            time.sleep(PAUSE_S)


class Piece:
    """``size`` bytes of ``stream`` from ``start`` on, as the body of one request."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        stream.seek(start)
        self._stream = stream
        self._size = self._remaining = size
        self._is_over = False
        self._turns = Turns()

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Next bytes.

        google-auth would repeat the request after a 401, from the stream's end; the caller must
        create a new piece.

        Raises:
            requests.ConnectionError: The piece was already read to its end.

        """
        if self._is_over:
            raise requests.ConnectionError("the piece is to be sent again")
        length = self._remaining if size < 0 else min(size, self._remaining)
        block = self._stream.read(length)
        self._remaining -= len(block)
        self._is_over = not block
        self._turns.count(len(block))
        return block


class Sink:
    """Writer to ``stream``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._turns = Turns()

    def write(self, data: bytes) -> int:
        """Write all of ``data``."""
        self._turns.count(len(data))
        return self._stream.write(data)


def crc32c_of(path: Path) -> tuple[str, int]:
    """CRC32C (base64, in the bucket's notation) and size in bytes of a file.

    Raises:
        OSError: The file cannot be read.

    """
    checksum, size, turns = 0, 0, Turns()
    with path.open("rb") as file:
        while block := file.read(TURN):
            checksum = google_crc32c.extend(checksum, block)
            size += len(block)
            turns.count(len(block))
    return base64.b64encode(checksum.to_bytes(4, "big")).decode(), size
