"""Whether a file is a whole TIFF, of any variant: both byte orders, classic and BigTIFF.

By the TIFF 6.0 specification and the BigTIFF design: a header that points to a chain of
directories, each a list of tagged fields. OME-TIFF, ImageJ's and other microscopes' files are
such TIFFs; what is in their pixels does not matter here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

#: Bytes of one value of each field type.
_SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
_ASCII = 2
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
WIDTH, LENGTH = 256, 257
STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES = 273, 279, 324, 325
#: Fields from here on are whatever some program wanted them to be.
FIRST_PRIVATE = 32768
#: Directories beyond these are not looked at.
MOST_PAGES = 100_000
MOST_FIELDS = 4096
MOST_STRIPS = 1_000_000
#: OME-XML of a large plate has some megabytes.
MOST_TEXT = 16 * 1024 * 1024


class _Layout(NamedTuple):
    """How numbers are written: byte order, and the sizes that BigTIFF changed."""

    order: str
    fields: str  # a directory's number of them
    offset: str
    field_bytes: int

    def read(self, file: BinaryIO, form: str) -> int:
        """One number; struct.error where the file ends before."""
        data = file.read(struct.calcsize("=" + form))
        value: int = struct.unpack(self.order + form, data)[0]
        return value


class _Field(NamedTuple):
    type: int
    values: int
    at: int  # where its values are


class Directory:
    """The fields of one page; unreadable ones count as absent."""

    def __init__(self, file: BinaryIO, layout: _Layout, fields: dict[int, _Field]) -> None:
        self._file = file
        self._layout = layout
        self._fields = fields
        self.is_big_endian = layout.order == ">"

    def __contains__(self, tag: int) -> bool:
        return tag in self._fields

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a field; none where it is absent."""
        return tuple(_values(self._file, self._layout, self._fields.get(tag)))

    def number(self, tag: int, default: int) -> int:
        """The first of them."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        """A field of characters, at most MOST_TEXT bytes of it; empty where it is absent."""
        field = self._fields.get(tag)
        if field is None or field.type != _ASCII:
            return ""
        self._file.seek(field.at)
        text = self._file.read(min(field.values, MOST_TEXT))
        return text.rstrip(b"\0").decode("utf-8", "replace")


def directories(file: BinaryIO, size: int) -> Iterator[Directory]:
    """The pages of a TIFF of ``size`` bytes, in their order; struct.error where it is damaged."""
    layout, at = _header(file)
    seen: set[int] = set()
    while layout and at and at < size and at not in seen and len(seen) < MOST_PAGES:
        seen.add(at)
        fields, at = _directory(file, layout, at, size)
        yield Directory(file, layout, fields)


def tiff_fault(file: BinaryIO, size: int) -> str:
    """What is wrong with a file of ``size`` bytes that begins as TIFFs do; empty: nothing."""
    try:
        return _fault(file, size)
    except struct.error:
        return "is a TIFF that was cut off"


def _fault(file: BinaryIO, size: int) -> str:
    layout, at = _header(file)
    if layout is None:
        return "begins like a TIFF and is none"
    pages: set[int] = set()
    while at and len(pages) < MOST_PAGES:
        if at in pages:
            return "is a TIFF whose pages lead in a circle"
        if at >= size:
            return "is a TIFF that was cut off"
        fields, following = _directory(file, layout, at, size)
        if fault := _page_fault(file, layout, fields, size):
            return fault
        pages.add(at)
        at = following
    return "" if pages else "is a TIFF without an image"


def _header(file: BinaryIO) -> tuple[_Layout | None, int]:
    file.seek(0)
    order = ">" if file.read(2) == b"MM" else "<"
    classic, big = _Layout(order, "H", "I", 12), _Layout(order, "Q", "Q", 20)
    version = classic.read(file, "H")
    if version == 42:
        return classic, classic.read(file, "I")
    if version == 43 and (big.read(file, "H"), big.read(file, "H")) == (8, 0):
        return big, big.read(file, "Q")
    return None, 0


def _directory(
    file: BinaryIO, layout: _Layout, at: int, size: int
) -> tuple[dict[int, _Field], int]:
    """The fields of the directory at ``at``, and where the next one is; 0: nowhere."""
    file.seek(at)
    count = layout.read(file, layout.fields)
    begin = file.tell()
    if count > MOST_FIELDS:
        raise struct.error("so many fields has no image")
    fields = {}
    for number in range(count):
        file.seek(begin + number * layout.field_bytes)
        tag, kind = layout.read(file, "H"), layout.read(file, "H")
        values = layout.read(file, layout.offset)
        inline = file.tell()
        where = inline
        length = values * _SIZES.get(kind, 1)
        if length > struct.calcsize("=" + layout.offset):
            where = layout.read(file, layout.offset)
            if where + length > size and tag < FIRST_PRIVATE:
                raise struct.error("the file ends before a field's values do")
        fields[tag] = _Field(kind, values, where)
    file.seek(begin + count * layout.field_bytes)
    return fields, layout.read(file, layout.offset)


def _page_fault(file: BinaryIO, layout: _Layout, fields: dict[int, _Field], size: int) -> str:
    """What a page lacks: an extent, or pixels in the file; empty: nothing."""
    if not all(any(_values(file, layout, fields.get(tag))) for tag in (WIDTH, LENGTH)):
        return "is a TIFF without an image"
    for offsets, lengths in ((STRIP_OFFSETS, STRIP_BYTES), (TILE_OFFSETS, TILE_BYTES)):
        begins = list(_values(file, layout, fields.get(offsets)))
        sizes = list(_values(file, layout, fields.get(lengths)))
        if begins and max(map(sum, zip(begins, sizes, strict=False)), default=max(begins)) > size:
            return "is a TIFF that was cut off"
        if begins:
            return ""
    return "is a TIFF without pixels"


def _values(file: BinaryIO, layout: _Layout, field: _Field | None) -> Iterator[int]:
    if field is None or field.type not in _INTEGERS:
        return
    count = min(field.values, MOST_STRIPS)
    form = _INTEGERS[field.type]
    file.seek(field.at)
    data = file.read(count * struct.calcsize("=" + form))
    yield from struct.unpack(f"{layout.order}{count}{form}", data)
