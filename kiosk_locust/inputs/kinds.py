"""What a file is: told by its first bytes and by whether the rest hangs together, not by its name.

What is checked is cheap and catches what goes wrong in practice: files that are something else,
and files that were cut off. Whether every pixel can be decoded is the Kiosk's to find out.
"""

from __future__ import annotations

import errno
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from kiosk_locust.consumer.archive import SEPARATOR, child_name, children
from kiosk_locust.consumer.arrays import JPEG, PNG, TIFFS, Array, array_of, jpeg_frame
from kiosk_locust.consumer.forms import TRACKS
from kiosk_locust.consumer.tiff import tiff_fault
from kiosk_locust.excerpt import escaped
from kiosk_locust.inputs.file import Kind, name_for

PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG_END = b"\xff\xd9"
ZIP, EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
#: Cameras and editors put things behind the end of an image; the end is looked for in so much.
TAIL_BYTES = 64 * 1024
#: Of a ZIP's files so many are looked into, until one is an image.
MOST_LOOKED_INTO = 100
#: The arrays of so many of them are predicted, if they are no larger than so many bytes.
MOST_ARRAYS, MOST_UNPACKED_BYTES = 8, 64 * 1024 * 1024
#: A track file is a tar; its magic stands so far from its begin.
_TAR, _TAR_AT = b"ustar", 257
#: So much of a member's name is told.
_NAME_CHARS = 60
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
        if kind is None and path.name.lower().endswith(TRACKS):
            file.seek(_TAR_AT)
            kind = Kind.TRACK if file.read(len(_TAR)) == _TAR else None
        if kind is Kind.TRACK:
            return kind, 1
        if kind is None:
            raise NoInput("is neither PNG, JPEG, TIFF nor ZIP")
        if fault := _image_fault(kind, file, size):
            raise NoInput(fault)
    return kind, 1


def array_in(path: Path, kind: Kind) -> Array | None:
    """The array that a consumer gets from a file (from a ZIP's images), under the name it is sent.

    None where it is not known, and where a ZIP's images differ in it. Raises OSError.
    """
    with path.open("rb") as file:
        if kind is Kind.ZIP:
            return array_in_zip(file)
        size = path.stat().st_size
        array = array_of(file, size, path.name)
        if array is None and kind is not Kind.TRACK:
            array = array_of(file, size, name_for(path.name, kind))
        return array


def array_in_zip(file: BinaryIO) -> Array | None:
    """The array of a ZIP's images, by the first of them; None where they differ, or it is unknown.

    They differ where they have other axes: one form is sent for all.
    """
    found: list[Array] = []
    try:
        with zipfile.ZipFile(file) as archive:
            for member in children(archive):
                if member.file_size > MOST_UNPACKED_BYTES or len(found) == MOST_ARRAYS:
                    break
                with archive.open(member) as packed:
                    # A skeleton is read here and there, and packed data from their beginning only.
                    content = io.BytesIO(packed.read(member.file_size))
                array = array_of(content, member.file_size, child_name(member))
                if array is not None:
                    found.append(array)
    except (*_DAMAGE, OSError, NotImplementedError, RuntimeError):
        return None
    return found[0] if len({array.axes for array in found}) == 1 else None


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
        extent = _png_extent(file) if kind is Kind.PNG else jpeg_frame(file)[:2]
    except struct.error:
        extent = (0, 0)
    return "" if all(extent) else f"begins like a {kind} and is none"


def _png_extent(file: BinaryIO) -> tuple[int, int]:
    """Width and height, from the chunk that must come first."""
    file.seek(len(PNG))
    length, name, width, height = struct.unpack(">I4sII", file.read(16))
    return (width, height) if (length, name) == (13, b"IHDR") else (0, 0)


def _images_in(file: BinaryIO) -> int:
    """How many jobs the Kiosk makes of a ZIP; raises NoInput unless one of them is an image."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            members = list(children(archive))
            if not archive.infolist():
                raise NoInput("is a ZIP with no files in it")
            if not members:
                raise NoInput(
                    "is a ZIP in which the Kiosk would find nothing (no file in it has a name with"
                    " an ending, such as .png; name them so)"
                )
            _check_names(members)
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


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    """Raise NoInput for names that the Kiosk's lists of children, joined by commas, cannot carry.

    Its consumer looks for the pieces of such a name for ever (``ZipFileConsumer._consume``).
    """
    names = [name for member in members if SEPARATOR in (name := child_name(member))]
    if names:
        shown = escaped(names[0])
        shown = shown if len(shown) <= _NAME_CHARS else shown[: _NAME_CHARS - 1] + "…"
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        raise NoInput(
            "is a ZIP that the Kiosk would never finish (a comma in a name in it breaks the"
            f" Kiosk's lists: rename {shown!r}{more})"
        )


def _is_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as content:
        return _image_kind(content.read(16)) is not None
