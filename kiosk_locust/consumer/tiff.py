"""Structure of a TIFF of any variant: both byte orders, classic and BigTIFF.

By the TIFF 6.0 specification and the BigTIFF design: a header that points to a chain of
directories, each a list of tagged fields. OME-TIFF, ImageJ's and other microscopes' files are
such TIFFs.
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
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
WIDTH, LENGTH = 256, 257
STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES = 273, 279, 324, 325
#: Limits of the parser; further directories, fields and strips are ignored.
MOST_PAGES = 100_000
MOST_FIELDS = 4096
MOST_STRIPS = 1_000_000
#: OME-XML of a large plate has some megabytes.
MOST_TEXT = 16 * 1024 * 1024
_CLASSIC_BYTES = 2**32  # range of a classic TIFF's offsets


class _Layout(NamedTuple):
    """Number formats: byte order, and the sizes that differ in BigTIFF."""

    order: str
    fields: str  # number of fields in a directory
    offset: str
    entry: str  # a field: tag, type, number of values, and these or their offset

    @property
    def offset_bytes(self) -> int:
        return struct.calcsize("=" + self.offset)

    def read(self, file: BinaryIO, form: str) -> int:
        """Read one number.

        Raises:
            struct.error: The file ends before.

        """
        data = file.read(struct.calcsize("=" + form))
        value: int = struct.unpack(self.order + form, data)[0]
        return value


class _Field(NamedTuple):
    type: int
    values: int
    inline: bytes  # the values, or their offset in the file


class Directory:
    """Fields of one page; unreadable fields count as absent."""

    def __init__(
        self, file: BinaryIO, layout: _Layout, fields: dict[int, _Field], size: int
    ) -> None:
        self._file = file
        self._layout = layout
        self._fields = fields
        self._size = size
        self._numbers: dict[int, tuple[int, ...]] = {}
        self._texts: dict[int, str] = {}
        self.is_big_endian = layout.order == ">"

    def __contains__(self, tag: int) -> bool:
        return tag in self._fields

    def is_cut_off(self, tag: int) -> bool:
        """Tell if the field exists, and the file ends before its values do."""
        field = self._fields.get(tag)
        return field is not None and self._data(field) is None

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Integers of a field, at most MOST_STRIPS; empty if it is absent."""
        numbers = self._numbers.get(tag)
        if numbers is None:
            field = self._fields.get(tag)
            numbers = self._numbers[tag] = self._integers(field) if field else ()
        return numbers

    def number(self, tag: int, default: int) -> int:
        """First integer of a field."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str:
        """Text field, at most MOST_TEXT bytes; empty if it is absent."""
        text = self._texts.get(tag)
        if text is None:
            field = self._fields.get(tag)
            is_text = field is not None and field.type == _ASCII
            data = (self._data(field, MOST_TEXT) if field and is_text else None) or b""
            text = self._texts[tag] = data.rstrip(b"\0").decode("utf-8", "replace")
        return text

    def _integers(self, field: _Field) -> tuple[int, ...]:
        form = _INTEGERS.get(field.type)
        data = self._data(field, MOST_STRIPS * _SIZES.get(field.type, 1)) if form else None
        if not form or data is None:
            return ()
        count = len(data) // _SIZES[field.type]
        return struct.unpack_from(f"{self._layout.order}{count}{form}", data)

    def _data(self, field: _Field, most: int = 0) -> bytes | None:
        """First bytes of a field's values; None if the file ends before all of them."""
        length = field.values * _SIZES.get(field.type, 1)
        if length <= len(field.inline):
            return field.inline[:length]
        (at,) = struct.unpack(self._layout.order + self._layout.offset, field.inline)
        if at + length > self._size:
            return None
        self._file.seek(at)
        return self._file.read(min(length, most))


class Chain:
    """Pages of a TIFF of ``size`` bytes in order, and how their chain ended.

    ``fault`` and ``doubt`` are complete after an iteration, as in “a.tif is a TIFF …”.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self.fault = self.doubt = ""

    def __iter__(self) -> Iterator[Directory]:
        """Yield each readable page; raises nothing but OSError."""
        try:
            layout, at = _header(self._file)
        except struct.error:
            self.fault = "is a TIFF that was cut off"
            return
        if layout is None:
            self.fault = "begins like a TIFF and is none"
            return
        visited: set[int] = set()
        while at and len(visited) < MOST_PAGES and not self.fault:
            if at in visited:
                self.fault = "is a TIFF whose pages lead in a circle"
                return
            if at >= self._size:
                self._note_cut(layout)
                return
            visited.add(at)
            try:
                fields, following = _directory(self._file, layout, at)
            except struct.error:
                self._note_cut(layout)
                return
            if following is None:
                self.doubt = "is a TIFF that ends within its last directory"
            yield Directory(self._file, layout, fields, self._size)
            at = following or 0
        if not visited:
            self.fault = "is a TIFF without an image"

    def _note_cut(self, layout: _Layout) -> None:
        """Note that a page lies beyond the end of the file."""
        if layout.offset == "I" and self._size > _CLASSIC_BYTES:
            self.doubt = "is a TIFF that is larger than its page addresses can tell (4 GiB)"
        else:
            self.fault = "is a TIFF that was cut off"


def _header(file: BinaryIO) -> tuple[_Layout | None, int]:
    file.seek(0)
    order = ">" if file.read(2) == b"MM" else "<"
    classic, big = _Layout(order, "H", "I", "HHI4s"), _Layout(order, "Q", "Q", "HHQ8s")
    version = classic.read(file, "H")
    if version == 42:
        return classic, classic.read(file, "I")
    if version == 43 and (big.read(file, "H"), big.read(file, "H")) == (8, 0):
        return big, big.read(file, "Q")
    return None, 0


def _directory(file: BinaryIO, layout: _Layout, at: int) -> tuple[dict[int, _Field], int | None]:
    """Fields of the directory at ``at``, and the offset of the next one (0: none).

    The offset is None if the file ends before it.

    Raises:
        struct.error: The file ends within the fields.

    """
    file.seek(at)
    count = layout.read(file, layout.fields)
    if count > MOST_FIELDS:
        raise struct.error("so many fields has no image")
    entry = struct.Struct(layout.order + layout.entry)
    data = file.read(count * entry.size + layout.offset_bytes)
    fields: dict[int, _Field] = {}
    for number in range(count):
        tag, kind, values, inline = entry.unpack_from(data, number * entry.size)
        fields.setdefault(tag, _Field(kind, values, inline))
    following = data[count * entry.size :]
    if len(following) < layout.offset_bytes:
        return fields, None
    return fields, int(struct.unpack(layout.order + layout.offset, following)[0])
