"""The array that a consumer gets from a file, predicted from the file's skeleton.

``get_image`` in ``utils.py`` of kiosk-redis-consumer 0.17.2 reads a name that ends in ``.tif`` or
``.tiff`` with ``tifffile.TiffFile(…).asarray()``, and any other with Pillow and Keras's
``img_to_array``, whatever the content is. Nothing here needs either library; the tests compare
the prediction with theirs.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import BinaryIO

from kiosk_locust.consumer.tiff import LENGTH, WIDTH, Directory, directories

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Names that ``get_image`` gives to tifffile, in lower case.
TIFFFILE_SUFFIXES = (".tif", ".tiff")
#: Samples of a PNG's pixel by its colour type; a palette's indices are one.
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_JPEG_SAMPLES = {1: 1, 3: 3, 4: 4}

BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 258, 259, 262, 270
SAMPLES, ROWS, PLANAR, SOFTWARE, PREDICTOR = 277, 278, 284, 305, 317
SUBIFDS, EXTRA, FORMAT, DEPTH, TILE_WIDTH, TILE_LENGTH = 330, 338, 339, 32997, 322, 323
#: Two pages that agree in these are in one series of tifffile's, as ``TiffPage.hash`` has it.
_ALIKE = (
    WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS, PLANAR, PREDICTOR, EXTRA, FORMAT,
    DEPTH, TILE_WIDTH, TILE_LENGTH,
)  # fmt: skip
#: Fields of formats that tifffile reads by rules of their own: MD Gel, Olympus, MetaMorph,
#: Fluoview, LSM, NIH Image, Micro-Manager, NDPI.
_VENDORS = (33445, 33471, 33560, 33628, 33629, 33630, 33631, 34361, 34412, 43314, 51123, 65420)
_VENDOR_WORDS = re.compile(
    r"^(Aperio |state\.|DP |PerkinElmer-QPI|<\?xml[^>]*><PerkinElmer)"
    r"|scanimage\.SI|/scn>|</scn:scn>"
)
#: (photometric, sample formats, bits) that Pillow opens whatever the byte order is.
_PILLOW_TIFFS = {
    (0, (1,), (1,)), (1, (1,), (1,)), (0, (1,), (8,)), (1, (1,), (8,)), (1, (1,), (16,)),
    (1, (3,), (32,)), (2, (1,), (8, 8, 8)), (2, (1,), (8, 8, 8, 8)), (3, (1,), (8,)),
    (5, (1,), (8, 8, 8, 8)),
}  # fmt: skip
_PILLOW_COMPRESSIONS = (1, 5, 8, 32773, 32946)


class Reader(StrEnum):
    """The library that a consumer reads a file with."""

    TIFFFILE = "tifffile"
    PILLOW = "Pillow"


@dataclass(frozen=True, slots=True)
class Array:
    """The array of a file: ``axes`` has tifffile's letter of each of ``shape``'s numbers."""

    reader: Reader
    axes: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.reader} {self.axes} {','.join(map(str, self.shape))}"

    @classmethod
    def parse(cls, text: str) -> Array | None:
        """The array that ``str`` made a text of; None for any other text."""
        if not (
            parts := re.fullmatch(r"(tifffile|Pillow) ([A-Z]+) (\d{1,12}(?:,\d{1,12})*)", text)
        ):
            return None
        shape = tuple(int(number) for number in parts[3].split(","))
        return cls(Reader(parts[1]), parts[2], shape) if len(shape) == len(parts[2]) else None


def is_for_tifffile(name: str) -> bool:
    """Whether ``get_image`` gives a file of this name to tifffile."""
    return PurePosixPath(name).suffix.lower() in TIFFFILE_SUFFIXES


def array_of(file: BinaryIO, size: int, name: str) -> Array | None:
    """The array that a consumer gets from a file of ``size`` bytes that is called ``name``.

    None where the reader fails, and where what it would return is not known.
    """
    file.seek(0)
    begin = file.read(8)
    try:
        if begin.startswith(TIFFS):
            pages = _Pages(file, size)
            return pages.by_tifffile() if is_for_tifffile(name) else pages.by_pillow()
        if is_for_tifffile(name):
            return None
        if begin == PNG:
            return _pillow(*_png(file))
        return _pillow(*jpeg_frame(file)) if begin.startswith(JPEG) else None
    except (struct.error, ValueError, OverflowError):
        return None


def _pillow(width: int, height: int, samples: int) -> Array | None:
    if not (width and height and samples):
        return None
    return Array(Reader.PILLOW, "YXS", (height, width, samples))


def _png(file: BinaryIO) -> tuple[int, int, int]:
    """Width, height and samples a pixel, from the chunk that must come first."""
    file.seek(len(PNG))
    length, name, width, height, _, colour = struct.unpack(">I4sIIBB", file.read(18))
    if (length, name) != (13, b"IHDR"):
        return 0, 0, 0
    return width, height, _PNG_SAMPLES.get(colour, 0)


def jpeg_frame(file: BinaryIO) -> tuple[int, int, int]:
    """Width, height and samples of a JPEG's first frame (SOF0 to SOF15); struct.error: cut off."""
    file.seek(2)
    while True:
        mark, code = struct.unpack("BB", file.read(2))
        while mark == code == 0xFF:  # fill bytes
            (code,) = struct.unpack("B", file.read(1))
        if mark != 0xFF or code in (0xD9, 0xDA):
            return 0, 0, 0
        if code == 0x01 or 0xD0 <= code <= 0xD7:  # these stand alone
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            _, height, width, samples = struct.unpack(">BHHB", file.read(6))
            return width, height or 1, _JPEG_SAMPLES.get(samples, 0)  # 0: told after the first scan
        file.seek(max(0, length - 2), 1)


class _Pages:
    """A TIFF's first page, and how many there are."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        pages = directories(file, size)
        try:
            self.first = next(pages)
        except StopIteration:
            raise ValueError("it has no page") from None
        self.shape, self.axes = _page_shape(self.first)
        alike = _alikeness(self.first)
        self.number = self.alike = 1
        for page in pages:
            self.number += 1
            self.alike += _alikeness(page) == alike

    def by_tifffile(self) -> Array | None:
        """The first series, as tifffile takes the pages together."""
        description, software = self.first.text(DESCRIPTION), self.first.text(SOFTWARE)
        if any(tag in self.first for tag in _VENDORS) or software.startswith("SI."):
            return None
        if _VENDOR_WORDS.search(description) or software.startswith("PerkinElmer-QPI"):
            return None
        if shaped := _shaped_description(description):
            return self._shaped(shaped)
        if description[-10:].strip().endswith("OME>") and (ome := self._ome(description)):
            return ome
        if description.startswith(("ImageJ=", "SCIFIO=")):
            return self._imagej(description)
        return self._series((self.alike, *self.shape), "I" + self.axes)

    def by_pillow(self) -> Array | None:
        """The first page alone; None where Pillow does not open it, or another would be lost."""
        first = self.first
        bits = first.numbers(BITS) or (1,)
        formats = tuple(sorted(set(first.numbers(FORMAT) or (1,))))
        key = (first.number(PHOTOMETRIC, 0), formats, bits)
        if self.number > 1 or key not in _PILLOW_TIFFS or first.number(PLANAR, 1) != 1:
            return None
        if first.number(COMPRESSION, 1) not in _PILLOW_COMPRESSIONS:
            return None
        samples = len(bits)
        if samples == 4 and key[0] == 2 and first.number(EXTRA, 2) == 0:
            samples = 3  # the fourth is padding, which Pillow drops
        return _pillow(first.number(WIDTH, 0), first.number(LENGTH, 0), samples)

    def _series(self, shape: Iterable[int], axes: str) -> Array:
        """An array without dimensions of 1, of which the image's own stay."""
        kept = [
            (size, axis) for size, axis in zip(shape, axes, strict=True) if size > 1 or axis in "XY"
        ]
        return Array(
            Reader.TIFFFILE, "".join(axis for _, axis in kept), tuple(size for size, _ in kept)
        )

    def _shaped(self, described: dict[str, object]) -> Array | None:
        """What tifffile itself has written: the shape stands there, dimensions of 1 included."""
        sizes = described.get("shape")
        if not isinstance(sizes, list) or not all(isinstance(n, int) and n > 0 for n in sizes):
            return None
        shape, axes = tuple(sizes), described.get("axes")
        if math.prod(shape) % math.prod(self.shape):
            return None
        if isinstance(axes, str) and len(axes) == len(shape) and axes.isupper():
            return Array(Reader.TIFFFILE, axes, shape)
        more = len(shape) - len(self.shape)
        if more >= 0 and shape[more:] == self.shape:
            return Array(Reader.TIFFFILE, "Q" * more + self.axes, shape)
        return Array(Reader.TIFFFILE, "Q" * len(shape), shape)

    def _imagej(self, description: str) -> Array | None:
        """ImageJ's stacks: frames, slices and channels are told in words."""
        found = dict(re.findall(r"^(\w+)=(\d{1,9})\s*$", description, re.MULTILINE))
        sizes = {name: int(found.get(name, 1)) for name in ("frames", "slices", "channels")}
        images, channels = int(found.get("images", 1)), sizes["channels"]
        if min(images, *sizes.values()) < 1 or re.search("^order=(?!czt)", description, re.M):
            return None
        planes = sizes["frames"] * sizes["slices"]
        samples = self.shape[0] if self.axes.startswith("S") else 1
        if channels == 1 or (samples > 1 and samples == channels):
            images, channels = planes, 1
        elif images == planes and self.axes.endswith("S") and self.shape[-1] == channels:
            channels = 1
        else:
            images = planes * channels
        if images == 1 and self.number > 1:
            images = self.number
        shape = (sizes["frames"], sizes["slices"], channels)
        more = images // math.prod(shape)
        return self._series((more, *shape, *self.shape), "ITZC" + self.axes)

    def _ome(self, description: str) -> Array | None:
        """The first image of OME-XML; None where it does not say its sizes."""
        pixels = re.search(r"<(?:\w+:)?Pixels\b([^>]*)>", description)
        if pixels is None:
            return None
        told = dict(re.findall(r"\b(\w+)\s*=\s*[\"']([^\"']*)[\"']", pixels[1]))
        order = told.get("DimensionOrder", "")[::-1]
        if sorted(order) != sorted("XYZCT") or not order.endswith("YX"):
            return None
        sizes = [int(told["Size" + axis]) if "Size" + axis in told else 0 for axis in order[:-2]]
        channel = re.search(r"<(?:\w+:)?Channel\b([^>]*)>", description[pixels.end() :])
        samples = re.search(
            r"SamplesPerPixel\s*=\s*[\"'](\d{1,4})[\"']", channel[1] if channel else ""
        )
        if samples and int(samples[1]) > 1:
            at = order.index("C")
            sizes[at] //= int(samples[1])
        if min(sizes) < 1 or "modulo" in description:
            return None
        return self._series((*sizes, *self.shape), order[:-2] + self.axes)


def _page_shape(page: Directory) -> tuple[tuple[int, ...], str]:
    """One page's shape and axes, as tifffile has them."""
    shape, axes = [page.number(LENGTH, 0), page.number(WIDTH, 0)], "YX"
    if (depth := page.number(DEPTH, 1)) > 1:
        shape, axes = [depth, *shape], "Z" + axes
    if (samples := page.number(SAMPLES, 1)) > 1:
        is_planar = page.number(PLANAR, 1) == 2
        shape = [samples, *shape] if is_planar else [*shape, samples]
        axes = "S" + axes if is_planar else axes + "S"
    if min(shape) < 1:
        raise ValueError("the page has no extent")
    return tuple(shape), axes


def _alikeness(page: Directory) -> tuple[tuple[int, ...], ...]:
    return tuple(page.numbers(tag) for tag in _ALIKE)


def _shaped_description(text: str) -> dict[str, object] | None:
    """What tifffile has written of the shape; None where it has not."""
    if not (text.startswith("{") and '"shape":' in text) or '"mibi.' in text:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
