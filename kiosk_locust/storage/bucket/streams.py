"""Files read and written bit by bit, with a turn for other greenlets in between.

A socket that is always ready, a disk and a checksum never yield by themselves; over 100 MB that
would keep every poll and every due submission waiting.
"""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import BinaryIO

import google_crc32c
import requests

from kiosk_locust.storage import transfer_progress

#: Bytes between two turns: about a millisecond's work.
TURN = 1 << 20
#: A pause of 0 would not do: gevent looks at its timers only after 50 of those.
PAUSE_S = 1e-4


class Turns:
    """Counts bytes; where gevent has patched ``time``, others get a turn after so many.

    Whoever watches the transfer hears of them.
    """

    def __init__(self) -> None:
        self._due = TURN

    def count(self, size: int) -> None:
        """Note that ``size`` bytes were worked on."""
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
        self._size = self._left = size
        self._is_over = False
        self._turns = Turns()

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        """The next bytes; raises requests.ConnectionError where it was sent to its end before.

        google-auth would send it again after a 401, from its end on; the piece has to be made
        anew.
        """
        if self._is_over:
            raise requests.ConnectionError("the piece is to be sent again")
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._stream.read(wanted)
        self._left -= len(found)
        self._is_over = not found
        self._turns.count(len(found))
        return found


class Sink:
    """Writes to ``stream``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._turns = Turns()

    def write(self, data: bytes) -> int:
        """Write it all."""
        self._turns.count(len(data))
        return self._stream.write(data)


def crc32c_of(path: Path) -> tuple[str, int]:
    """CRC32C (base64, as the bucket writes it) and size in bytes of a file; raises OSError."""
    checksum, size, turns = 0, 0, Turns()
    with path.open("rb") as file:
        while found := file.read(TURN):
            checksum = google_crc32c.extend(checksum, found)
            size += len(found)
            turns.count(len(found))
    return base64.b64encode(checksum.to_bytes(4, "big")).decode(), size
