"""PNGs as Pillow reads them: chunks by the PNG specification.

Pillow is content once every row is decoded: the last checksum and the end chunk may be missing.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

MAGIC = b"\x89PNG\r\n\x1a\n"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
#: Samples of a pixel by colour type; a palette's indices are one.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: Adam7: first column and row of each pass, and the steps between them.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
_PIECE_BYTES = 1024 * 1024


class Header(NamedTuple):
    """The chunk that comes first."""

    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    @property
    def samples(self) -> int:
        """Samples of a pixel."""
        return _SAMPLES[self.colour]

    @property
    def raw_bytes(self) -> int:
        """The length of the image before it was compressed: rows, each with its filter's byte."""
        passes = _PASSES if self.interlace else ((0, 0, 1, 1),)
        total = 0
        for column, row, across, down in passes:
            width = -(-(self.width - column) // across)
            height = -(-(self.height - row) // down)
            if width > 0 and height > 0:
                total += height * (1 + (width * self.samples * self.depth + 7) // 8)
        return total


def header(file: BinaryIO) -> Header | None:
    """The header; None where it is none that Pillow knows. Raises struct.error: cut off."""
    file.seek(len(MAGIC))
    length, name, width, height, depth, colour, _, _, interlace = struct.unpack(
        ">I4sIIBBBBB", file.read(21)
    )
    is_known = depth in _DEPTHS.get(colour, ()) and width and height
    if (length, name) != (13, b"IHDR") or not is_known:
        return None
    return Header(width, height, depth, colour, interlace)


def png_verdict(file: BinaryIO, size: int) -> FileVerdict:
    """What speaks against a file of ``size`` bytes that begins as PNGs do."""
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
    lengths: list[tuple[int, int]] = []  # of the image's pieces: where they begin, their bytes
    for name, at, length in _chunks(file, size):
        if name == b"IDAT":
            lengths.append((at, length))
        has_end = has_end or name == b"IEND"
    if has_end and lengths:
        return WHOLE
    is_whole = _unpacked(file, lengths, head.raw_bytes) >= head.raw_bytes
    return WHOLE if is_whole else FileVerdict("is a PNG that was cut off")


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, where its data begin, and their bytes; up to the end, or the last one."""
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
    """How many bytes the image's pieces unpack to, counted up to ``enough``."""
    unpacker = zlib.decompressobj()
    total = 0
    try:
        for at, length in pieces:
            file.seek(at)
            left = length
            while left > 0 and total < enough and (packed := file.read(min(left, 65536))):
                left -= len(packed)
                while packed and total < enough:
                    total += len(unpacker.decompress(packed, _PIECE_BYTES))
                    packed = unpacker.unconsumed_tail
    except zlib.error:
        return total
    return total
