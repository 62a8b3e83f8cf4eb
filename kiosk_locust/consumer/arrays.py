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
from functools import cached_property
from pathlib import PurePosixPath
from typing import BinaryIO

from kiosk_locust.consumer import png
from kiosk_locust.consumer.jpeg import SAMPLES as JPEG_SAMPLES
from kiosk_locust.consumer.jpeg import first_frame
from kiosk_locust.consumer.segments import (
    BITS,
    COMPRESSION,
    CUT,
    DEPTH,
    FORMAT,
    PLANAR,
    PREDICTOR,
    ROWS,
    SAMPLES,
    TILE_LENGTH,
    TILE_WIDTH,
    TiffPage,
    page_verdict,
    pillow_verdict,
)
from kiosk_locust.consumer.tiff import LENGTH, WIDTH, Chain, Directory
from kiosk_locust.consumer.verdict import WHOLE, FileVerdict

PNG, JPEG = png.MAGIC, b"\xff\xd8\xff"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: Names that ``get_image`` gives to tifffile, in lower case.
TIFFFILE_SUFFIXES = (".tif", ".tiff")

PHOTOMETRIC, DESCRIPTION, SOFTWARE, EXTRA = 262, 270, 305, 338
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
#: What begins the description of ImageJ's files.
_IMAGEJ = ("ImageJ=", "SCIFIO=")
#: (photometric, sample formats, bits) that Pillow opens whatever the byte order is.
_PILLOW_TIFFS = {
    (0, (1,), (1,)), (1, (1,), (1,)), (0, (1,), (8,)), (1, (1,), (8,)), (1, (1,), (16,)),
    (1, (3,), (32,)), (2, (1,), (8, 8, 8)), (2, (1,), (8, 8, 8, 8)), (3, (1,), (8,)),
    (5, (1,), (8, 8, 8, 8)),
}  # fmt: skip
_PILLOW_COMPRESSIONS = (1, 5, 8, 32773, 32946)


class ArrayReader(StrEnum):
    """The library that a consumer reads a file with."""

    TIFFFILE = "tifffile"
    PILLOW = "Pillow"


@dataclass(frozen=True, slots=True)
class Array:
    """The array of a file: ``axes`` has tifffile's letter of each of ``shape``'s numbers."""

    reader: ArrayReader
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
        return cls(ArrayReader(parts[1]), parts[2], shape) if len(shape) == len(parts[2]) else None


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
            return _Pages(file, size, by_tifffile=is_for_tifffile(name)).array()
        if is_for_tifffile(name):
            return None
        if begin == PNG:
            head = png.header(file)
            return _pillow(head.width, head.height, head.samples) if head else None
        frame = first_frame(file) if begin.startswith(JPEG) else None
        if frame is None or frame.samples not in JPEG_SAMPLES:
            return None
        return _pillow(frame.width, frame.height or 1, frame.samples)  # 0: told after a scan
    except (struct.error, ValueError, OverflowError):
        return None


def look_at_tiff(file: BinaryIO, size: int, name: str) -> tuple[Array | None, FileVerdict]:
    """The array as `array_of` has it, and what speaks against the file for the same reader."""
    pages = _Pages(file, size, by_tifffile=is_for_tifffile(name))
    try:
        array = pages.array()
    except (struct.error, ValueError, OverflowError):
        array = None
    return array, pages.verdict()


def _pillow(width: int, height: int, samples: int) -> Array | None:
    if not (width and height and samples):
        return None
    return Array(ArrayReader.PILLOW, "YXS", (height, width, samples))


class _Pages:
    """A TIFF's first page, how many there are, and what speaks against those that are read."""

    def __init__(self, file: BinaryIO, size: int, *, by_tifffile: bool) -> None:
        self._size = size
        self._by_tifffile = by_tifffile
        self._chain = Chain(file, size)
        self.number = self.alike = 0
        self._page_verdict = WHOLE
        look = page_verdict if by_tifffile else pillow_verdict
        first: Directory | None = None
        alike: tuple[tuple[int, ...], ...] = ()
        for page in self._chain:
            self.number += 1
            if first is None:
                first, alike = page, _alikeness(page)
            elif not by_tifffile or _alikeness(page) != alike:
                continue  # read by nobody
            self.alike += 1
            if not self._page_verdict.fault:
                verdict = look(file, page, size)
                self._page_verdict = verdict if any(verdict) else self._page_verdict
        self._first = first
        self.shape, self.axes = _page_shape(first) if first else ((), "")
        self._end = FileVerdict(self._chain.fault, self._chain.doubt)
        if self._end == CUT and self._by_tifffile and self._has_whole_stack():
            self._end = FileVerdict(
                doubt="is a TIFF of which the last page directories were cut off"
            )

    @property
    def first(self) -> Directory:
        """The first page; raises ValueError where there is none."""
        if self._first is None:
            raise ValueError("it has no page")
        return self._first

    @cached_property
    def _page(self) -> TiffPage:
        """The extent of the first page."""
        return TiffPage(self.first)

    def array(self) -> Array | None:
        """The array that the reader makes; None where it fails, or that is not known."""
        if self._end.fault or self._first is None or min(self.shape) < 1:
            return None
        return self.by_tifffile() if self._by_tifffile else self.by_pillow()

    def verdict(self) -> FileVerdict:
        """What speaks against the file."""
        if self._first is None or self._end.fault:
            return self._end
        verdict = self._page_verdict
        if self._is_of_vendor(self.first.text(DESCRIPTION)):
            if verdict.fault:
                verdict = FileVerdict(doubt=f"{verdict.fault}, or is a microscope's own variant")
        elif self._by_tifffile and not verdict.fault:
            verdict = self._stack_verdict() or verdict
        return FileVerdict(verdict.fault, verdict.doubt or self._end.doubt)

    def _has_whole_stack(self) -> bool:
        """Whether all planes that the first page tells of follow it, so tifffile needs no other."""
        if self._first is None or min(self.shape) < 1 or (planes := self._planes()) <= 1:
            return False
        page = self._page
        return page.is_final and page.offsets[0] + planes * page.bytes <= self._size

    def _planes(self) -> int:
        """The planes that tifffile counts by the first page's description; 1: it tells of none."""
        description, plane = self.first.text(DESCRIPTION), math.prod(self.shape)
        if shaped := _shaped_description(description):
            total = math.prod(_sizes(shaped) or (0,))
            return 1 if total % plane else max(1, total // plane)
        if description.startswith(_IMAGEJ):
            stack = self._imagej_stack(_imagej_words(description))
            return stack[0] if stack else 1
        return 1

    def _stack_verdict(self) -> FileVerdict | None:
        """What speaks against a stack of which the first page tells the planes."""
        planes, page = self._planes(), self._page
        if self.first.is_cut_off(DESCRIPTION):
            return FileVerdict(
                doubt="is a TIFF whose description was cut off, which may name its axes"
            )
        if planes > self.number and self.number == 1 and page.is_contiguous and page.bytes:
            here = (self._size - page.offsets[0]) // page.bytes
            if here < planes:
                return FileVerdict(f"{CUT.fault} (it tells of {planes:,} planes and has {here:,})")
            return None
        told = planes
        if self.first.text(DESCRIPTION).startswith(_IMAGEJ):
            words = _imagej_words(self.first.text(DESCRIPTION))
            told = max(planes, int(words.get("images", 1)))
        if told <= self.number or told <= planes <= self.number:
            return None
        return FileVerdict(
            doubt=f"is a TIFF that tells of {told:,} planes, of which the Kiosk reads"
            f" {max(planes if page.is_contiguous else 1, self.number):,}"
        )

    def _is_of_vendor(self, description: str) -> bool:
        """Whether tifffile has rules of its own for the file."""
        software = self.first.text(SOFTWARE)
        return (
            any(tag in self.first for tag in _VENDORS)
            or software.startswith(("SI.", "PerkinElmer-QPI"))
            or _VENDOR_WORDS.search(description) is not None
        )

    def by_tifffile(self) -> Array | None:
        """The first series, as tifffile takes the pages together."""
        description = self.first.text(DESCRIPTION)
        if self._is_of_vendor(description):
            return None
        if shaped := _shaped_description(description):
            return self._shaped(shaped)
        if description[-10:].strip().endswith("OME>") and (ome := self._ome(description)):
            return ome
        if description.startswith(_IMAGEJ):
            return self._imagej(description)
        return self._series((self.alike, *self.shape), "I" + self.axes)

    def by_pillow(self) -> Array | None:
        """The first page alone; None where Pillow does not open it, or another would be lost."""
        first = self.first
        bits = first.numbers(BITS) or (1,)
        formats = tuple(sorted(set(first.numbers(FORMAT) or (1,))))
        key = (first.number(PHOTOMETRIC, 0), formats, bits)
        if key not in _PILLOW_TIFFS or first.number(PLANAR, 1) != 1:
            return None
        if self.number > 1 or self._planes() > 1 or first.number(DEPTH, 1) > 1:
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
            ArrayReader.TIFFFILE, "".join(axis for _, axis in kept), tuple(size for size, _ in kept)
        )

    def _shaped(self, described: dict[str, object]) -> Array | None:
        """What tifffile itself has written: the shape stands there, dimensions of 1 included."""
        shape, axes = _sizes(described), described.get("axes")
        if shape is None or math.prod(shape) % math.prod(self.shape):
            return None
        if isinstance(axes, str) and len(axes) == len(shape) and axes.isupper():
            return Array(ArrayReader.TIFFFILE, axes, shape)
        more = len(shape) - len(self.shape)
        if more >= 0 and shape[more:] == self.shape:
            return Array(ArrayReader.TIFFFILE, "Q" * more + self.axes, shape)
        return Array(ArrayReader.TIFFFILE, "Q" * len(shape), shape)

    def _imagej(self, description: str) -> Array | None:
        """ImageJ's stacks: frames, slices and channels are told in words."""
        words = _imagej_words(description)
        stack = self._imagej_stack(words)
        if stack is None or re.search("^order=(?!czt)", description, re.M):
            return None
        images, channels = stack
        sizes = {name: int(words.get(name, 1)) for name in ("frames", "slices")}
        if images == 1 and self.number > 1:
            images = self.number
        shape = (sizes["frames"], sizes["slices"], channels)
        more = images // math.prod(shape)
        return self._series((more, *shape, *self.shape), "ITZC" + self.axes)

    def _imagej_stack(self, words: dict[str, str]) -> tuple[int, int] | None:
        """The planes that tifffile counts, and the channels among them; None: in no way."""
        counts = ("frames", "slices", "channels", "images")
        frames, slices, channels, images = (int(words.get(name, 1)) for name in counts)
        if min(frames, slices, channels, images) < 1:
            return None
        planes = frames * slices
        samples = self.shape[0] if self.axes.startswith("S") else 1
        if channels == 1 or (samples > 1 and samples == channels):
            return planes, 1
        if images == planes and self.axes.endswith("S") and self.shape[-1] == channels:
            return images, 1
        return planes * channels, channels

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
    return tuple(shape), axes


def _alikeness(page: Directory) -> tuple[tuple[int, ...], ...]:
    return tuple(page.numbers(tag) for tag in _ALIKE)


def _imagej_words(description: str) -> dict[str, str]:
    """The numbers of ImageJ's description, such as ``images=3``."""
    return dict(re.findall(r"^(\w+)=(\d{1,9})\s*$", description, re.MULTILINE))


def _sizes(described: dict[str, object]) -> tuple[int, ...] | None:
    """The shape that tifffile has written; None where it is none."""
    sizes = described.get("shape")
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n > 0 for n in sizes):
        return None
    return tuple(sizes)


def _shaped_description(text: str) -> dict[str, object] | None:
    """What tifffile has written of the shape; None where it has not."""
    if not (text.startswith("{") and '"shape":' in text) or '"mibi.' in text:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
