"""Resumable upload in pieces, each starting where the bucket confirms to have got to.

The library's own upload repeats a whole piece, which fails if the bucket has stored a part of it.
The protocol: https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import requests

from kiosk_locust.errors import BucketUnreachable
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket.gcs_client import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    AuthorizedSession,
    TransportError,
)
from kiosk_locust.storage.bucket.gcs_errors import NoSession, of_status
from kiosk_locust.storage.bucket.streams import Piece

#: Bytes per request; Google requires multiples of 256 KiB.
PIECE = 8 << 20
_LONGEST_WAIT_S = 10.0
_GONE = (404, 410)


class ResumableUpload:
    """Upload of ``stream`` of ``size`` bytes to an upload session.

    ``patience_s`` is how long it continues without any byte getting through.
    """

    def __init__(
        self,
        session: AuthorizedSession,
        session_url: str,
        stream: BinaryIO,
        size: int,
        *,
        shown: str,
        patience_s: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._url = session_url
        self._stream = stream
        self._size = size
        self._shown = shown
        self._patience_s = patience_s
        self._now = now
        self._sleep = sleep
        self._stored_bytes = 0  # bytes stored by the bucket
        self._is_unsure = False  # the bucket must be asked for that number
        self._failures = 0  # consecutive
        self._progress_at = now()

    def run(self) -> dict[str, Any]:
        """Send the stream; returns the bucket's metadata of the object.

        Raises:
            BucketError: The upload failed.
            NoSession: The bucket has dropped the session.

        """
        while True:
            try:
                answer = self._ask() if self._is_unsure else self._send(self._stored_bytes)
                self._check(answer)
            except (requests.RequestException, TransportError, BucketUnreachable) as error:
                self._wait_after(error)
                continue
            if answer.status_code != 308:
                return dict(answer.json())
            self._note(answer)

    def _note(self, answer: requests.Response) -> None:
        """Note the progress; a piece of which nothing was stored is a failure."""
        stored = _stored_bytes(answer)
        if stored <= self._stored_bytes and not self._is_unsure:
            self._wait_after(
                BucketUnreachable(f"{self._shown}: the bucket kept nothing of a piece")
            )
            return
        if stored > self._stored_bytes:
            self._progress_at, self._failures = self._now(), 0
        self._stored_bytes, self._is_unsure = stored, False

    def _wait_after(self, error: Exception) -> None:
        """Wait before the next try.

        Raises:
            BucketUnreachable: There was no progress for too long.

        """
        self._is_unsure = True
        self._failures += 1
        wait_s = min(_LONGEST_WAIT_S, 0.25 * 2.0 ** min(self._failures, 10))
        if self._now() + wait_s - self._progress_at > self._patience_s:
            progress = f"{self._stored_bytes:,} of {self._size:,} bytes had got through"
            if isinstance(error, BucketUnreachable):
                raise BucketUnreachable(f"{error}; {progress}") from error
            cause = "no answer in time" if isinstance(error, requests.Timeout) else "it broke off"
            raise BucketUnreachable(f"{self._shown}: {cause}; {progress}") from error
        transfer_progress.tried(error)
        self._sleep(wait_s)

    def _send(self, start: int) -> requests.Response:
        """Send the piece at ``start``."""
        piece = Piece(self._stream, start, min(PIECE, self._size - start))
        return self._put(piece, f"bytes {start}-{start + len(piece) - 1}/{self._size}")

    def _ask(self) -> requests.Response:
        """Ask for the number of stored bytes."""
        return self._put(b"", f"bytes */{self._size}")

    def _put(self, body: Piece | bytes, content_range: str) -> requests.Response:
        return self._session.put(
            self._url,
            data=body,
            headers={"Content-Range": content_range},
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
        )

    def _check(self, answer: requests.Response) -> None:
        """Raise for a failed request.

        Raises:
            BucketUnreachable: The error is transient.
            NoSession: The session is gone.
            BucketError: Any other error.

        """
        if answer.status_code in _GONE:
            raise NoSession(self._shown)
        if answer.status_code not in (200, 201, 308):
            raise of_status(answer.status_code, answer.text, self._shown)


def _stored_bytes(answer: requests.Response) -> int:
    """Number of bytes stored by the bucket, from the header ``Range: bytes=0-LAST``."""
    match = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
    return int(match[1]) + 1 if match else 0
