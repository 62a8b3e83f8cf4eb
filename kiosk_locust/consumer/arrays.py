"""Prediction of the array that a consumer reads from a file, from the file's structure.

``get_image`` in ``utils.py`` of kiosk-redis-consumer 0.17.2 reads a name that ends in ``.tif`` or
``.tiff`` with ``tifffile.TiffFile(…).asarray()``, and any other with Pillow and Keras's
``img_to_array``, whatever the content is. This module needs neither library; tests compare its
predictions with theirs.
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
#: Extensions that ``get_image`` reads with tifffile, in lower case.
TIFFFILE_SUFFIXES = (".tif", ".tiff")

PHOTOMETRIC, DESCRIPTION, SOFTWARE, EXTRA = 262, 270, 305, 338
#: Tags by which tifffile groups pages in a series, as in ``TiffPage.hash``.
_SERIES_TAGS = (
    WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, ROWS, PLANAR, PREDICTOR, EXTRA, FORMAT,
    DEPTH, TILE_WIDTH, TILE_LENGTH,
)  # fmt: skip
#: Tags of formats with special rules in tifffile: MD Gel, Olympus, MetaMorph, Fluoview, LSM, NIH
#: Image, Micro-Manager, NDPI.
_VENDORS = (33445, 33471, 33560, 33628, 33629, 33630, 33631, 34361, 34412, 43314, 51123, 65420)
_VENDOR_WORDS = re.compile(
    r"^(Aperio |state\.|DP |PerkinElmer-QPI|<\?xml[^>]*><PerkinElmer)"
    r"|scanimage\.SI|/scn>|</scn:scn>"
)
#: Prefixes of descriptions in ImageJ's files.
_IMAGEJ = ("ImageJ=", "SCIFIO=")
#: (photometric, sample formats, bits) that Pillow opens in either byte order.
_PILLOW_TIFFS = {
    (0, (1,), (1,)), (1, (1,), (1,)), (0, (1,), (8,)), (1, (1,), (8,)), (1, (1,), (16,)),
    (1, (3,), (32,)), (2, (1,), (8, 8, 8)), (2, (1,), (8, 8, 8, 8)), (3, (1,), (8,)),
    (5, (1,), (8, 8, 8, 8)),
}  # fmt: skip
_PILLOW_COMPRESSIONS = (1, 5, 8, 32773, 32946)


class ArrayReader(StrEnum):
    """Library with which a consumer reads a file."""

    TIFFFILE = "tifffile"
    PILLOW = "Pillow"


@dataclass(frozen=True, slots=True)
class Array:
    """Array of a file; ``axes`` has tifffile's letter for each number of ``shape``."""

    reader: ArrayReader
    axes: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.reader} {self.axes} {','.join(map(str, self.shape))}"

    @classmethod
    def parse(cls, text: str) -> Array | None:
        """Array from the text of ``str``; None for any other text."""
        if not (
            parts := re.fullmatch(r"(tifffile|Pillow) ([A-Z]+) (\d{1,12}(?:,\d{1,12})*)", text)
        ):
            return None
        shape = tuple(int(number) for number in parts[3].split(","))
        return cls(ArrayReader(parts[1]), parts[2], shape) if len(shape) == len(parts[2]) else None


def is_for_tifffile(name: str) -> bool:
    """Tell if ``get_image`` reads a file of this name with tifffile."""
    return PurePosixPath(name).suffix.lower() in TIFFFILE_SUFFIXES


def array_of(file: BinaryIO, size: int, name: str) -> Array | None:
    """Array that a consumer reads from a file of ``size`` bytes named ``name``.

    None if the reader fails, or if its result cannot be predicted.
    """
    file.seek(0)
    magic = file.read(8)
    try:
        if magic.startswith(TIFFS):
            return _Pages(file, size, by_tifffile=is_for_tifffile(name)).array()
        if is_for_tifffile(name):
            return None
        if magic == PNG:
            head = png.header(file)
            return _pillow(head.width, head.height, head.samples) if head else None
        frame = first_frame(file) if magic.startswith(JPEG) else None
        if frame is None or frame.samples not in JPEG_SAMPLES:
            return None
        return _pillow(frame.width, frame.height or 1, frame.samples)  # 0: set after a scan
    except (struct.error, ValueError, OverflowError):
        return None


def inspect_tiff(file: BinaryIO, size: int, name: str) -> tuple[Array | None, FileVerdict]:
    """Array as in `array_of`, and the verdict on the file for the same reader."""
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
    """A TIFF's first page, its number of pages, and the verdict on those that are read."""

    def __init__(self, file: BinaryIO, size: int, *, by_tifffile: bool) -> None:
        self._size = size
        self._by_tifffile = by_tifffile
        self._chain = Chain(file, size)
        self.number = self.alike = 0
        self._page_verdict = WHOLE
        verdict_of = page_verdict if by_tifffile else pillow_verdict
        first: Directory | None = None
        alike: tuple[tuple[int, ...], ...] = ()
        for page in self._chain:
            self.number += 1
            if first is None:
                first, alike = page, _series_key(page)
            elif not by_tifffile or _series_key(page) != alike:
                continue  # not read by the consumer
            self.alike += 1
            if not self._page_verdict.fault:
                verdict = verdict_of(file, page, size)
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
        """The first page.

        Raises:
            ValueError: The file has no page.

        """
        if self._first is None:
            raise ValueError("it has no page")
        return self._first

    @cached_property
    def _page(self) -> TiffPage:
        """Extent of the first page."""
        return TiffPage(self.first)

    def array(self) -> Array | None:
        """Array that the reader returns; None if it fails, or if this is unknown."""
        if self._end.fault or self._first is None or min(self.shape) < 1:
            return None
        return self.by_tifffile() if self._by_tifffile else self.by_pillow()

    def verdict(self) -> FileVerdict:
        """Verdict on the file."""
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
        """True if all planes of the description follow the first page."""
        if self._first is None or min(self.shape) < 1 or (planes := self._planes()) <= 1:
            return False
        page = self._page
        return page.is_final and page.offsets[0] + planes * page.bytes <= self._size

    def _planes(self) -> int:
        """Number of planes in the first page's description; 1 if it has none."""
        description, plane = self.first.text(DESCRIPTION), math.prod(self.shape)
        if shaped := _shaped_description(description):
            total = math.prod(_sizes(shaped) or (0,))
            return 1 if total % plane else max(1, total // plane)
        if description.startswith(_IMAGEJ):
            stack = self._imagej_stack(_imagej_words(description))
            return stack[0] if stack else 1
        return 1

    def _stack_verdict(self) -> FileVerdict | None:
        """Verdict on a stack whose planes are declared by the first page."""
        planes, page = self._planes(), self._page
        if self.first.is_cut_off(DESCRIPTION):
            return FileVerdict(
                doubt="is a TIFF whose description was cut off, which may name its axes"
            )
        if planes > self.number and self.number == 1 and page.is_contiguous and page.bytes:
            present = (self._size - page.offsets[0]) // page.bytes
            if present < planes:
                return FileVerdict(
                    f"{CUT.fault} (it tells of {planes:,} planes and has {present:,})"
                )
            return None
        declared = planes
        if self.first.text(DESCRIPTION).startswith(_IMAGEJ):
            words = _imagej_words(self.first.text(DESCRIPTION))
            declared = max(planes, int(words.get("images", 1)))
        if declared <= self.number or declared <= planes <= self.number:
            return None
        return FileVerdict(
            doubt=f"is a TIFF that tells of {declared:,} planes, of which the Kiosk reads"
            f" {max(planes if page.is_contiguous else 1, self.number):,}"
        )

    def _is_of_vendor(self, description: str) -> bool:
        """Tell if tifffile has special rules for the file."""
        software = self.first.text(SOFTWARE)
        return (
            any(tag in self.first for tag in _VENDORS)
            or software.startswith(("SI.", "PerkinElmer-QPI"))
            or _VENDOR_WORDS.search(description) is not None
        )

    def by_tifffile(self) -> Array | None:
        """The first series, as tifffile groups pages."""
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
        """The first page alone; None if Pillow does not open it, or would drop other pages."""
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
        """Array without dimensions of 1 other than X and Y."""
        dimensions = [
            (size, axis) for size, axis in zip(shape, axes, strict=True) if size > 1 or axis in "XY"
        ]
        return Array(
            ArrayReader.TIFFFILE,
            "".join(axis for _, axis in dimensions),
            tuple(size for size, _ in dimensions),
        )

    def _shaped(self, metadata: dict[str, object]) -> Array | None:
        """Array of a file written by tifffile: its description has the shape, including 1s."""
        shape, axes = _sizes(metadata), metadata.get("axes")
        if shape is None or math.prod(shape) % math.prod(self.shape):
            return None
        if isinstance(axes, str) and len(axes) == len(shape) and axes.isupper():
            return Array(ArrayReader.TIFFFILE, axes, shape)
        more = len(shape) - len(self.shape)
        if more >= 0 and shape[more:] == self.shape:
            return Array(ArrayReader.TIFFFILE, "Q" * more + self.axes, shape)
        return Array(ArrayReader.TIFFFILE, "Q" * len(shape), shape)

    def _imagej(self, description: str) -> Array | None:
        """Array of an ImageJ stack: its description has frames, slices and channels."""
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
        """Number of planes that tifffile counts, and of channels in them; None: invalid."""
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
        """First image of OME-XML; None if it does not state its sizes."""
        pixels = re.search(r"<(?:\w+:)?Pixels\b([^>]*)>", description)
        if pixels is None:
            return None
        pixel_attributes = dict(re.findall(r"\b(\w+)\s*=\s*[\"']([^\"']*)[\"']", pixels[1]))
        order = pixel_attributes.get("DimensionOrder", "")[::-1]
        if sorted(order) != sorted("XYZCT") or not order.endswith("YX"):
            return None
        sizes = [
            int(pixel_attributes["Size" + axis]) if "Size" + axis in pixel_attributes else 0
            for axis in order[:-2]
        ]
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
    """Shape and axes of one page, as in tifffile."""
    shape, axes = [page.number(LENGTH, 0), page.number(WIDTH, 0)], "YX"
    if (depth := page.number(DEPTH, 1)) > 1:
        shape, axes = [depth, *shape], "Z" + axes
    if (samples := page.number(SAMPLES, 1)) > 1:
        is_planar = page.number(PLANAR, 1) == 2
        shape = [samples, *shape] if is_planar else [*shape, samples]
        axes = "S" + axes if is_planar else axes + "S"
    return tuple(shape), axes


def _series_key(page: Directory) -> tuple[tuple[int, ...], ...]:
    return tuple(page.numbers(tag) for tag in _SERIES_TAGS)


def _imagej_words(description: str) -> dict[str, str]:
    """Numbers in ImageJ's description, such as ``images=3``."""
    return dict(re.findall(r"^(\w+)=(\d{1,9})\s*$", description, re.MULTILINE))


def _sizes(metadata: dict[str, object]) -> tuple[int, ...] | None:
    """Shape in tifffile's metadata; None if it is invalid."""
    sizes = metadata.get("shape")
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n > 0 for n in sizes):
        return None
    return tuple(sizes)


def _shaped_description(text: str) -> dict[str, object] | None:
    """Metadata that tifffile wrote into the description; None if there are none."""
    if not (text.startswith("{") and '"shape":' in text) or '"mibi.' in text:
        return None
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return metadata if isinstance(metadata, dict) else None
