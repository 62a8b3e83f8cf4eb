"""PNGs as Pillow reads them: chunks by the PNG specification.

Pillow needs every row decoded, but neither the last checksum nor the end chunk.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

MAGIC = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
#: Samples per pixel by colour type; a palette index is one.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: Adam7: first column and row of each pass, and its steps.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
_PIECE_BYTES = 1024 * 1024


class Header(NamedTuple):
    """The first chunk, IHDR."""

    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    @property
    def samples(self) -> int:
        """Samples per pixel."""
        return _SAMPLES[self.colour]

    @property
    def raw_bytes(self) -> int:
        """Bytes of the uncompressed image: rows, each with its filter byte."""
        passes = _PASSES if self.interlace else ((0, 0, 1, 1),)
        total = 0
        for column, row, across, down in passes:
            width = -(-(self.width - column) // across)
            height = -(-(self.height - row) // down)
            if width > 0 and height > 0:
                total += height * (1 + (width * self.samples * self.depth + 7) // 8)
        return total


def header(file: BinaryIO) -> Header | None:
    """The header; None if Pillow does not support it.

    Raises:
        struct.error: The file is cut off.

    """
    file.seek(len(MAGIC))
    length, name, width, height, depth, colour, _, _, interlace = struct.unpack(
        ">I4sIIBBBBB", file.read(21)
    )
    is_supported = depth in _DEPTHS.get(colour, ()) and width and height
    if (length, name) != (13, b"IHDR") or not is_supported:
        return None
    return Header(width, height, depth, colour, interlace)


def png_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """Verdict on a file of ``size`` bytes that starts like a PNG."""
    try:
        head = header(file)
    except struct.error:
        return FileVerdict("is a PNG that was cut off")
    if head is None:
        return FileVerdict("begins like a PNG and is none")
    file.seek(max(0, size - len(_END)))
    if file.read() == _END:
        return WHOLE
    has_end = False
    lengths: list[tuple[int, int]] = []  # of image data chunks: offset and length in bytes
    for name, at, length in _chunks(file, size):
        if name == b"IDAT":
            lengths.append((at, length))
        has_end = has_end or name == b"IEND"
    if has_end and lengths:
        return WHOLE
    is_whole = _unpacked(file, lengths, head.raw_bytes) >= head.raw_bytes
    return WHOLE if is_whole else FileVerdict("is a PNG that was cut off")


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, data offset and length of each chunk, up to the last one or the file's end."""
    at = len(MAGIC)
    while at + 8 <= size:
        file.seek(at)
        begin = file.read(8)
        if len(begin) < 8:
            return
        length, name = struct.unpack(">I4s", begin)
        yield name, at + 8, length
        if name == b"IEND":
            return
        at += 12 + length


def _unpacked(file: BinaryIO, pieces: list[tuple[int, int]], enough: int) -> int:
    """Bytes that the image data decompress to, counted up to ``enough``."""
    unpacker = zlib.decompressobj()
    total = 0
    try:
        for at, length in pieces:
            file.seek(at)
            remaining = length
            while remaining > 0 and total < enough and (packed := file.read(min(remaining, 65536))):
                remaining -= len(packed)
                while packed and total < enough:
                    total += len(unpacker.decompress(packed, _PIECE_BYTES))
                    packed = unpacker.unconsumed_tail
    except zlib.error:
        return total
    return total
