"""Completeness of a TIFF page's pixels, by the rules of tifffile and Pillow.

Readers use the image's extent rather than the byte counts in the file: a last strip at the end of
the file may be counted as a full one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from kiosk_locust.consumer.tiff import (
    LENGTH,
    STRIP_BYTES,
    STRIP_OFFSETS,
    TILE_BYTES,
    TILE_OFFSETS,
    WIDTH,
    Directory,
)
from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

BITS, COMPRESSION, FILL_ORDER, SAMPLES, ROWS, PLANAR = 258, 259, 266, 277, 278, 284
PREDICTOR, TILE_WIDTH, TILE_LENGTH, FORMAT, DEPTH, TILE_DEPTH = 317, 322, 323, 339, 32997, 32998
_NEEDED = (
    WIDTH, LENGTH, BITS, COMPRESSION, SAMPLES, ROWS, PLANAR, TILE_WIDTH, TILE_LENGTH,
    STRIP_OFFSETS, TILE_OFFSETS,
)  # fmt: skip
_NONE, _LZW, _PACKBITS, _DEFLATES = 1, 5, 32773, (8, 32946)
_COMPLEX = 5  # a sample format
#: Bits per sample for which tifffile reads whole pages at once.
_WHOLE_BITS = (8, 16, 32, 64)
CUT = FileVerdict("is a TIFF that was cut off")
_UNPACKED_MOST = 64 * 1024 * 1024
_UNSURE = FileVerdict(doubt="is a compressed TIFF whose last data are shorter than it says")


class TiffPage:
    """Extent of a page, and locations of its strips or tiles."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        number = directory.number
        self.width, self.length = number(WIDTH, 0), number(LENGTH, 0)
        self.depth, self.samples = max(1, number(DEPTH, 1)), max(1, number(SAMPLES, 1))
        self.is_planar = number(PLANAR, 1) == 2 and self.samples > 1
        self.bits = number(BITS, 1)
        self.compression = number(COMPRESSION, _NONE)
        self.is_tiled = TILE_OFFSETS in directory
        self.offsets = directory.numbers(TILE_OFFSETS if self.is_tiled else STRIP_OFFSETS)
        self.counts = directory.numbers(TILE_BYTES if self.is_tiled else STRIP_BYTES)

    @property
    def planes(self) -> int:
        """Number of separate planes of samples."""
        return self.samples if self.is_planar else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of one plane."""
        return self._packed(self.width)

    @property
    def bytes(self) -> int:
        """Bytes of the whole page without compression."""
        return self.planes * self.depth * self.length * self.row_bytes

    @property
    def is_contiguous(self) -> bool:
        """True if tifffile reads the page in one piece from its first offset.

        The rule of ``TiffPage.is_contiguous``, tifffile 2026.3.3.
        """
        if self.compression != _NONE or self.bits not in _WHOLE_BITS or not self.offsets:
            return False
        if self.directory.number(FORMAT, 1) == _COMPLEX or not self._tiles_are_rows():
            return False
        if len(self.offsets) == 1:
            return True
        if len(self.counts) != len(self.offsets) or sum(self.counts) != self.bytes:
            return False
        following = zip(self.offsets, self.counts, self.offsets[1:], strict=False)
        return all(count and at + count == after for at, count, after in following)

    @property
    def is_final(self) -> bool:
        """True if it is contiguous and its bytes need no decoding."""
        number = self.directory.number
        return self.is_contiguous and number(FILL_ORDER, 1) == number(PREDICTOR, 1) == 1

    def segments(self) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Offset of each strip or tile, its recorded bytes, and sufficient numbers of bytes."""
        counts = self.counts or (self.bytes,)
        enough = self._tile_bytes if self.is_tiled else self._strip_bytes
        for number, (at, count) in enumerate(zip(self.offsets, counts, strict=False)):
            yield at, count, enough(number)

    @property
    def segment_number(self) -> int:
        """Number of strips or tiles of the page."""
        if self.is_tiled:
            across = math.ceil(self.width / max(1, self.directory.number(TILE_WIDTH, 1)))
            down = math.ceil(self.length / max(1, self.directory.number(TILE_LENGTH, 1)))
            deep = math.ceil(self.depth / max(1, self.directory.number(TILE_DEPTH, 1)))
            return across * down * deep * self.planes
        return math.ceil(self.length / self.rows) * self.depth * self.planes

    @property
    def rows(self) -> int:
        """Rows per strip."""
        rows = self.directory.number(ROWS, self.length)
        return min(max(1, rows), max(1, self.length))

    def rows_of(self, number: int) -> int:
        """Rows of strip ``number``; the last one of a plane may have fewer."""
        strips = math.ceil(self.length / self.rows)
        return min(self.rows, self.length - number % strips * self.rows)

    def _packed(self, pixels: int) -> int:
        return (pixels * self.bits * (1 if self.is_planar else self.samples) + 7) // 8

    def _strip_bytes(self, number: int) -> tuple[int, ...]:
        return (self.rows_of(number) * self.row_bytes,)

    def visible_tile_bytes(self, number: int) -> int:
        """Bytes of tile ``number`` up to its last pixel within the image."""
        width, _, here_width, here_length = self._tile(number)
        return max(0, here_length - 1) * self._packed(width) + self._packed(here_width)

    def _tile(self, number: int) -> tuple[int, int, int, int]:
        """Width and length of tile ``number``, and of its part within the image."""
        tile = self.directory.number
        width, length = tile(TILE_WIDTH, 0), tile(TILE_LENGTH, 0)
        across = max(1, math.ceil(self.width / max(1, width)))
        down = max(1, math.ceil(self.length / max(1, length)))
        column, row = number % across * width, number // across % down * length
        here_width = max(0, min(width, self.width - column))
        here_length = max(0, min(length, self.length - row))
        return width, length, here_width, here_length

    def _tile_bytes(self, number: int) -> tuple[int, ...]:
        """Sufficient sizes of a tile: whole, or cut at the lower, or lower and right edge."""
        width, length, here_width, here_length = self._tile(number)
        deep = max(1, self.directory.number(TILE_DEPTH, 1))
        return (
            deep * length * self._packed(width),
            deep * here_length * self._packed(width),
            deep * here_length * self._packed(here_width),
        )

    def _tiles_are_rows(self) -> bool:
        if TILE_WIDTH not in self.directory:
            return True
        width = self.directory.number(TILE_WIDTH, 0)
        length = self.directory.number(TILE_LENGTH, 0)
        if not length or width != self.width or self.length % length or width % 16 or length % 16:
            return False
        return self.depth == 1


def page_verdict(file: BinaryIO, directory: Directory, size: int) -> FileVerdict:
    """Verdict on a page that tifffile reads from a file of ``size`` bytes."""
    if any(map(directory.is_cut_off, _NEEDED)):
        return CUT
    page = TiffPage(directory)
    if not (page.width and page.length):
        return FileVerdict("is a TIFF without an image")
    if not page.offsets:
        return FileVerdict("is a TIFF without pixels")
    if page.is_contiguous:
        return WHOLE if page.offsets[0] + page.bytes <= size else CUT
    if page.compression != _NONE:
        return _compressed(file, page, size)
    for at, count, enough in page.segments():
        here = min(count, size - at)
        if at and count and here < enough[0] and here not in enough:
            return CUT if at + count > size else FileVerdict("is a TIFF whose strips are too short")
    return _complete(page)


def pillow_verdict(file: BinaryIO, directory: Directory, size: int) -> FileVerdict:
    """Verdict on the first page of a TIFF that Pillow reads, which ignores byte counts."""
    if any(map(directory.is_cut_off, _NEEDED)):
        return CUT
    page = TiffPage(directory)
    if not page.offsets:
        return FileVerdict("is a TIFF without pixels")
    if page.compression != _NONE:
        return _compressed(file, page, size)
    if page.is_tiled:
        tiles = enumerate(page.offsets[: page.segment_number])
        is_cut = any(at + page.visible_tile_bytes(number) > size for number, at in tiles)
        return CUT if is_cut else _complete(page)
    row_bytes = (page.width * sum(directory.numbers(BITS) or (1,)) + 7) // 8
    for number, at in enumerate(page.offsets[: page.segment_number]):
        if at + page.rows_of(number) * row_bytes > size:
            return CUT
    return _complete(page)


def _complete(page: TiffPage) -> FileVerdict:
    """Verdict on the number of strips; missing ones are read as zeros."""
    if len(page.offsets) >= page.segment_number:
        return WHOLE
    return FileVerdict(
        doubt=f"is a TIFF with {len(page.offsets):,} of the {page.segment_number:,} strips or tiles"
        " that its extent needs"
    )


def _compressed(file: BinaryIO, page: TiffPage, size: int) -> FileVerdict:
    """Verdict on compressed strips: cut data may still decompress to all needed bytes."""
    verdict = _complete(page)
    for at, count, enough in page.segments():
        if not (at and count) or at + count <= size:
            continue
        if at >= size:
            return CUT
        unpacked = _UNPACKED.get(page.compression)
        if unpacked is None or size - at > _UNPACKED_MOST:
            verdict = _UNSURE
            continue
        file.seek(at)
        length = unpacked(file.read(size - at), enough[0])
        if length < enough[0] and length not in enough:
            return CUT
    return verdict


def _inflated(data: bytes, enough: int) -> int:
    """Bytes that Deflate data decompress to; -1 if their end is missing, as for zlib."""
    unpacker = zlib.decompressobj()
    try:
        length = len(unpacker.decompress(data, max(1, enough) + 1))
    except zlib.error:
        return -1
    return length if unpacker.eof or length > enough else -1


def _packbits(data: bytes, enough: int) -> int:
    """Bytes that PackBits data decompress to."""
    length = at = 0
    while at < len(data) and length < enough:
        code = data[at]
        if code < 128:
            length += min(code + 1, len(data) - at - 1)
            at += code + 2
        else:
            length += 257 - code if code > 128 and at + 1 < len(data) else 0
            at += 2 if code > 128 else 1
    return length


def _lzw(data: bytes, enough: int) -> int:
    """Bytes that TIFF's LZW data decompress to: codes of 9 to 12 bits, highest bit first."""
    lengths = [1] * 256 + [0, 0]
    total = bits = buffer = before = 0
    for byte in data:
        buffer, bits = (buffer << 8 | byte) & 0xFFFFF, bits + 8
        width = min(12, max(9, (len(lengths) + 1).bit_length()))
        if bits < width:
            continue
        bits -= width
        code = buffer >> bits & (1 << width) - 1
        if code == 257 or total >= enough:
            break
        if code == 256:
            del lengths[258:]
            before = 0
            continue
        if code > len(lengths) or (code == len(lengths) and not before):
            break
        length = lengths[code] if code < len(lengths) else before + 1
        if before:
            lengths.append(before + 1)
        total, before = total + length, length
    return total


_UNPACKED: dict[int, Callable[[bytes, int], int]] = {
    _LZW: _lzw,
    _PACKBITS: _packbits,
    **dict.fromkeys(_DEFLATES, _inflated),
}
