"""What a file is: told by its first bytes and by whether the rest hangs together, not by its name.

What is checked is cheap and catches what goes wrong in practice: files that are something else,
and files that were cut off. Whether every pixel can be decoded is the Kiosk's to find out.
"""

from __future__ import annotations

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kiosk_locust.inputs.file import Kind
from kiosk_locust.inputs.tiff import tiff_fault

PNG = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ZIP, EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
#: Cameras and editors put things behind the end of an image; the end is looked for in so much.
TAIL_BYTES = 64 * 1024
#: Of a ZIP's files so many are looked into, until one is an image.
MOST_LOOKED_INTO = 100
#: What archivers and file managers add.
_NOT_IMAGES = ("__MACOSX/",)
#: What reading a damaged ZIP raises.
_DAMAGE = (zipfile.BadZipFile, struct.error, EOFError, ValueError, zlib.error, lzma.LZMAError)


class NoInput(Exception):
    """The file is no image and no ZIP of images; says what it is, as in “x.png …”."""


def look_at(path: Path) -> tuple[Kind, int]:
    """What ``path`` is, and how many images it has; raises NoInput, and OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(16)
        if begin.startswith((ZIP, EMPTY_ZIP)):
            return Kind.ZIP, _images_in(file)
        kind = _image_kind(begin)
        if kind is None:
            raise NoInput("is neither PNG, JPEG, TIFF nor ZIP")
        if fault := _image_fault(kind, file, size):
            raise NoInput(fault)
    return kind, 1


def images_in_zip(file: BinaryIO) -> int | None:
    """How many images a ZIP has that is no file here, but can be sought in; None: it is none."""
    try:
        return _images_in(file)
    except (NoInput, OSError):
        return None


def _image_kind(begin: bytes) -> Kind | None:
    if begin.startswith(PNG):
        return Kind.PNG
    if begin.startswith(JPEG):
        return Kind.JPEG
    return Kind.TIFF if begin.startswith(TIFFS) else None


def _image_fault(kind: Kind, file: BinaryIO, size: int) -> str:
    """What is wrong with an image; empty: nothing."""
    if kind is Kind.TIFF:
        return tiff_fault(file, size)
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    if (PNG_END if kind is Kind.PNG else JPEG_END) not in tail:
        return f"is a {kind} that was cut off"
    try:
        extent = _png_extent(file) if kind is Kind.PNG else _jpeg_extent(file)
    except struct.error:
        extent = (0, 0)
    return "" if all(extent) else f"begins like a {kind} and is none"


def _png_extent(file: BinaryIO) -> tuple[int, int]:
    """Width and height, from the chunk that must come first."""
    file.seek(len(PNG))
    length, name, width, height = struct.unpack(">I4sII", file.read(16))
    return (width, height) if (length, name) == (13, b"IHDR") else (0, 0)


def _jpeg_extent(file: BinaryIO) -> tuple[int, int]:
    """Width and height, from the first frame's header (SOF0 to SOF15)."""
    file.seek(2)
    while True:
        mark, code = struct.unpack("BB", file.read(2))
        while mark == code == 0xFF:  # fill bytes
            (code,) = struct.unpack("B", file.read(1))
        if mark != 0xFF or code in (0xD9, 0xDA):
            return 0, 0
        if code == 0x01 or 0xD0 <= code <= 0xD7:  # these stand alone
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height or 1  # 0: told after the first scan
        file.seek(max(0, length - 2), 1)


def _images_in(file: BinaryIO) -> int:
    """How many files a ZIP has; raises NoInput unless one of them is an image."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            members = list(_members(archive))
            if not members:
                raise NoInput("is a ZIP with no files in it")
            if not any(_is_image(archive, member) for member in members[:MOST_LOOKED_INTO]):
                raise NoInput("is a ZIP without images")
            return len(members)
    except _DAMAGE as error:
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # it is the disk; bz2 raises one without a number, a place before the file EINVAL
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except (NotImplementedError, RuntimeError) as error:  # a method not known; a password
        raise NoInput(f"is a ZIP that cannot be read ({error})") from None


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for member in archive.infolist():
        name = member.filename
        hidden = name.rsplit("/", 1)[-1].startswith(".")
        if not member.is_dir() and not hidden and not name.startswith(_NOT_IMAGES):
            yield member


def _is_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as content:
        return _image_kind(content.read(16)) is not None
