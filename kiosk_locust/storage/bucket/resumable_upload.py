"""A resumable upload: pieces, each taken up from where the bucket says that it has got to.

The library's own way sends a piece again as it was, which fails once the bucket has kept a part
of it. The protocol: https://cloud.google.com/storage/docs/performing-resumable-uploads
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

#: Bytes in a request; Google wants multiples of 256 KiB.
PIECE = 8 << 20
_LONGEST_WAIT_S = 10.0
_GONE = (404, 410)


class ResumableUpload:
    """Sends ``stream`` of ``size`` bytes to a session's address.

    ``patience_s`` is how long it goes on without any byte getting through.
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
        self._kept = 0  # bytes that the bucket has
        self._is_unsure = False  # whether it must be asked how many they are
        self._failures = 0  # in a row
        self._got_on_at = now()

    def run(self) -> dict[str, Any]:
        """Send it all and return what the bucket says of the object.

        Raises BucketError, and NoSession where the bucket has forgotten the upload.
        """
        while True:
            try:
                answer = self._ask() if self._is_unsure else self._send(self._kept)
                self._check(answer)
            except (requests.RequestException, TransportError, BucketUnreachable) as error:
                self._wait_after(error)
                continue
            if answer.status_code != 308:
                return dict(answer.json())
            self._note(answer)

    def _note(self, answer: requests.Response) -> None:
        """Take in how far it got; a piece of which nothing was kept is a failure, too."""
        kept = _kept(answer)
        if kept <= self._kept and not self._is_unsure:
            self._wait_after(
                BucketUnreachable(f"{self._shown}: the bucket kept nothing of a piece")
            )
            return
        if kept > self._kept:
            self._got_on_at, self._failures = self._now(), 0
        self._kept, self._is_unsure = kept, False

    def _wait_after(self, error: Exception) -> None:
        """Wait before the next try; raises BucketUnreachable where that would be too long."""
        self._is_unsure = True
        self._failures += 1
        wait_s = min(_LONGEST_WAIT_S, 0.25 * 2.0 ** min(self._failures, 10))
        if self._now() + wait_s - self._got_on_at > self._patience_s:
            sent = f"{self._kept:,} of {self._size:,} bytes had got through"
            if isinstance(error, BucketUnreachable):
                raise BucketUnreachable(f"{error}; {sent}") from error
            what = "no answer in time" if isinstance(error, requests.Timeout) else "it broke off"
            raise BucketUnreachable(f"{self._shown}: {what}; {sent}") from error
        transfer_progress.tried(error)
        self._sleep(wait_s)

    def _send(self, start: int) -> requests.Response:
        """Send the piece that begins at ``start``."""
        piece = Piece(self._stream, start, min(PIECE, self._size - start))
        return self._put(piece, f"bytes {start}-{start + len(piece) - 1}/{self._size}")

    def _ask(self) -> requests.Response:
        """Ask how far it got."""
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
        """Raise BucketUnreachable for what may pass, NoSession and other BucketErrors else."""
        if answer.status_code in _GONE:
            raise NoSession(self._shown)
        if answer.status_code not in (200, 201, 308):
            raise of_status(answer.status_code, answer.text, self._shown)


def _kept(answer: requests.Response) -> int:
    """How many bytes the bucket has, by the answer's ``Range: bytes=0-LAST``."""
    found = re.fullmatch(r"bytes=0-(\d+)", answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0
