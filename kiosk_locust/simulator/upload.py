"""POST /api/upload: a file is read to its end, hashed, and stored in the simulated bucket."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from typing import BinaryIO

from kiosk_locust.simulator.answers import NO_FILE, Receive, Scope, SimulatedAnswer, json_answer
from kiosk_locust.simulator.storage import Storage, Stored, suffix_of

_BOUNDARY = re.compile(rb'multipart/form-data\b.*?;\s*boundary="?([^";]+)"?', re.IGNORECASE)
_FILE_NAME = re.compile(rb'name="file"[^\r\n]*?\bfilename="([^"]*)"', re.IGNORECASE)
_HEADERS_LIMIT = 65_536  # bytes of multipart headers before the file


class FilePart:
    """Parser of the part ``file`` in a multipart body that arrives in pieces of any size."""

    def __init__(self, boundary: bytes, sink: BinaryIO | None = None) -> None:
        self._sink = sink
        self._end = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # so that the first boundary looks like all others
        self._in_file = False
        self._over = False
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0  # bytes of the file so far
        self.name: str | None = None

    @property
    def md5(self) -> str:
        """MD5 of the file, in hex."""
        return self._md5.hexdigest()

    def feed(self, piece: bytes) -> None:
        """Process the next bytes of the body."""
        if self._over:
            return
        self._buffer += piece
        if not self._in_file:
            self._find_file()
        if self._in_file:
            self._hash()

    def _find_file(self) -> None:
        while not self._in_file:
            start = self._buffer.find(self._end)
            blank = self._buffer.find(b"\r\n\r\n", start + len(self._end))
            if start < 0 or blank < 0:
                self._over = len(self._buffer) > _HEADERS_LIMIT
                return
            named = _FILE_NAME.search(self._buffer[start:blank])
            self._buffer = self._buffer[blank + (4 if named else 2) :]
            if named:
                self.name = named[1].decode("utf-8", "replace")
                self._in_file = True

    def _hash(self) -> None:
        end = self._buffer.find(self._end)
        if end >= 0:
            self._take(self._buffer[:end])
            self._over = True
            self._buffer = b""
            return
        safe_length = max(0, len(self._buffer) - len(self._end))
        self._take(self._buffer[:safe_length])
        self._buffer = self._buffer[safe_length:]

    def _take(self, content: bytes) -> None:
        self._md5.update(content)
        self.size += len(content)
        if self._sink:
            self._sink.write(content)

    @property
    def is_whole(self) -> bool:
        """True if the file is complete."""
        return self._in_file and self._over


def object_name(file_name: str, now: float, step_s: float) -> str:
    """The frontend's name of an upload, from the form's file name and the clock alone.

    Two files of one name within ``step_s`` become one object (upload.controller.js: the MD5 of
    ``originalname_milliseconds``, and the extension).
    """
    milliseconds = round(math.floor(now / step_s) * step_s * 1000)
    text = f"{file_name}_{milliseconds}".encode()
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    return f"uploads/{md5}{suffix_of(file_name)}"


async def receive_upload(
    scope: Scope, receive: Receive, storage: Storage, clock: Callable[[], float], step_s: float
) -> SimulatedAnswer:
    """Read a multipart body, store its file, and respond like the frontend.

    ``clock`` returns epoch seconds; ``step_s`` is the step of the clock that names uploads.
    """
    file, path = storage.begin_upload()
    try:
        with file:
            part = await _read(scope, receive, file)
        if part is None or part.name is None or not part.is_whole:
            return NO_FILE
        now = clock()
        name = object_name(part.name, now, step_s)
        storage.end_upload(path, Stored(now, name, part.name, part.md5, part.size))
    finally:
        path.unlink(missing_ok=True)
    url = f"https://storage.googleapis.com/simulated-kiosk/{name}"
    return json_answer({"imageURL": url, "uploadedName": name})


async def _read(scope: Scope, receive: Receive, file: BinaryIO) -> FilePart | None:
    """Read a body to its end; None if it is not a multipart form."""
    headers = dict(scope["headers"])
    boundary = _BOUNDARY.search(headers.get(b"content-type", b""))
    part = FilePart(boundary[1], file) if boundary else None
    more = True
    while more:
        message = await receive()
        more = bool(message.get("more_body"))
        if part:
            part.feed(message.get("body", b""))
    return part
