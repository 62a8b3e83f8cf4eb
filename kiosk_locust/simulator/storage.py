"""The simulated Kiosk's bucket, a folder: uploads are stored, results made on demand."""

from __future__ import annotations

import io
import os
import re
import secrets
import struct
import zipfile
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kiosk_locust.simulator.answers import NOT_FOUND, Scope, SimulatedAnswer

#: Path below the Kiosk's address.
PATH = "/storage/"
_OUTPUT = re.compile(r"output/([0-9a-f-]{36})\.zip")
_RANGE = re.compile(rb"bytes=(\d+)-(\d*)")
_LONG_AGO = (2020, 1, 1, 0, 0, 0)
ZIP = b"application/zip"
KEPT_UPLOADS = 1_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One upload: at ``at`` (epoch s) it became the object ``name``, replacing its content."""

    at: float
    name: str
    file_name: str  # in the form
    md5: str  # of the content, in hex
    size: int  # bytes


class Storage:
    """Files in ``folder``; each result contains an image of ``output_bytes`` pixels.

    ``uploads`` has the latest ones in order: the witness of each object's content over time.
    """

    def __init__(self, folder: Path, output_bytes: int) -> None:
        self._folder = folder
        self._output_bytes = output_bytes
        self.uploads: deque[Stored] = deque(maxlen=KEPT_UPLOADS)

    def begin_upload(self) -> tuple[BinaryIO, Path]:
        """File for an upload whose name is not known yet, and its path."""
        folder = self._folder / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{secrets.token_hex(8)}.part"
        return path.open("wb"), path

    def end_upload(self, part: Path, stored: Stored) -> None:
        """Store an upload under its name, replacing an object of that name."""
        part.replace(self._folder / stored.name)
        self.uploads.append(stored)

    def contents(self, names_and_times: Iterable[tuple[str, float]]) -> list[str | None]:
        """MD5 of each object's content at a moment (epoch s); None: it did not exist."""
        history: dict[str, list[Stored]] = {}
        for stored in self.uploads:
            history.setdefault(stored.name, []).append(stored)
        return [
            next((s.md5 for s in reversed(history.get(name, ())) if s.at <= at), None)
            for name, at in names_and_times
        ]

    def answer(self, scope: Scope) -> SimulatedAnswer:
        """Response to GET of an object, whole or for a range."""
        match = _OUTPUT.fullmatch(scope["path"].removeprefix(PATH))
        if scope["method"] != "GET" or not match:
            return NOT_FOUND
        body = self._output(match[1])
        etag = f'"{match[1]}"'.encode()
        headers = dict(scope["headers"])
        extra = ((b"etag", etag), (b"accept-ranges", b"bytes"))
        range_match = _RANGE.fullmatch(headers.get(b"range", b""))
        if range_match is None or headers.get(b"if-range", etag) != etag:
            return SimulatedAnswer(200, body, ZIP, extra)
        begin, end = int(range_match[1]), min(int(range_match[2] or len(body)), len(body) - 1)
        if begin > end:
            return SimulatedAnswer(416, b"", ZIP, ((b"content-range", b"bytes */%d" % len(body)),))
        content_range = b"bytes %d-%d/%d" % (begin, end, len(body))
        return SimulatedAnswer(
            206, body[begin : end + 1], ZIP, (*extra, (b"content-range", content_range))
        )

    def _output(self, job: str) -> bytes:
        """Result of a job, stored at the first request."""
        path = self._folder / "output" / f"{job}.zip"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = result(job, self._output_bytes)
            path.write_bytes(content)
            return content


def result(job: str, pixels: int) -> bytes:
    """ZIP with one labelled image, like the segmentation consumer's; always the same."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{job}_feature_0.tif", _LONG_AGO), tiff(max(1, pixels)))
    return packed.getvalue()


def tiff(pixels: int) -> bytes:
    """Grey 8-bit TIFF of one line."""
    entries = [
        (256, 4, pixels), (257, 4, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 4, 1), (279, 4, pixels),
    ]  # fmt: skip
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = struct.pack("<2sHI", b"II", 42, 8 + pixels + pixels % 2)
    data = bytes(pixels + pixels % 2)
    return head + data + struct.pack("<H", len(entries)) + fields + bytes(4)


def suffix_of(name: str) -> str:
    """Extension of an uploaded file's name, without path separators."""
    suffix = os.path.splitext(name)[1]
    return suffix if "/" not in suffix and "\0" not in suffix else ""
