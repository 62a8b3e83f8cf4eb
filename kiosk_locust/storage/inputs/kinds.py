"""Identification of a file by its first bytes and its structure, not by its name.

The checks are cheap and catch the common problems: files of another type, and files that were cut
off. They do not decode pixels.
"""

from __future__ import annotations

import errno
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

from kiosk_locust.consumer.archive import SEPARATOR, child_name, children
from kiosk_locust.consumer.arrays import JPEG, PNG, TIFFS, Array, inspect_tiff
from kiosk_locust.consumer.others import GIFS, JPEG2000S, is_bmp, is_pnm, is_webp
from kiosk_locust.consumer.reading import read
from kiosk_locust.consumer.tracks import TRACKS, is_track_file, track_verdict
from kiosk_locust.consumer.verdict import FileVerdict
from kiosk_locust.model.input_file import BY_NAME, Kind, name_for
from kiosk_locust.storage.inputs.members import Members, inspect_members
from kiosk_locust.storage.inputs.packing import shown_name, unpack_fault

ZIP, EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_BEGIN_BYTES = 18
#: Most members of a ZIP without an image name that are opened, until one is an image.
MOST_LOOKED_INTO = 10_000
#: The same for a remote ZIP, where each access is a request.
MOST_ASKED_FOR = 100
#: In a ZIP without image names, most members that are read as images.
MOST_PASSED_OVER = 64
#: Exceptions of reading a damaged ZIP.
_DAMAGE = (zipfile.BadZipFile, struct.error, EOFError, ValueError, zlib.error, lzma.LZMAError)


class NoInput(Exception):
    """The file is no image and no ZIP of images; the message describes it, as in “x.png …”."""


class Inspection(NamedTuple):
    """Result of inspecting a file."""

    kind: Kind
    images: int  # 1, or the number of jobs that the Kiosk makes of a ZIP
    array: Array | None = None  # of the file, or of a ZIP's images; None: unknown
    doubt: str = ""  # why the Kiosk may fail on it, as in “x.png …”; empty: no reason is known


def inspect_file(path: Path) -> Inspection:
    """Inspect ``path``.

    Raises:
        NoInput: No job could work on it.
        OSError: It cannot be read.

    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        kind = _kind(file, path.name)
        if kind is None:
            raise NoInput("is neither PNG, JPEG, TIFF nor ZIP")
        if kind is Kind.ZIP:
            return _inspect_zip(file)
        array, verdict = _image(kind, file, size, path.name)
    if verdict.fault:
        raise NoInput(verdict.fault)
    return Inspection(kind, 1, array, verdict.doubt)


def _kind(file: BinaryIO, name: str) -> Kind | None:
    """Kind of a file by its first bytes; None: unknown."""
    head = file.read(_BEGIN_BYTES)
    if head.startswith((ZIP, EMPTY_ZIP)):
        return Kind.ZIP
    kind = _image_kind(head)
    if kind is None and name.lower().endswith(TRACKS) and is_track_file(file):
        return Kind.TRACK
    # zipfile accepts any file that ends as a ZIP; self-extracting ones start with a program.
    return Kind.ZIP if kind is None and zipfile.is_zipfile(file) else kind


def _image(kind: Kind, file: BinaryIO, size: int, name: str) -> tuple[Array | None, FileVerdict]:
    """Array of an image under its upload name, and the verdict on it."""
    match kind:
        case Kind.TIFF:
            array, verdict = inspect_tiff(file, size, name)
            if array is None and name_for(name, kind) != name:
                array, verdict = inspect_tiff(file, size, name_for(name, kind))
            return array, verdict
        case Kind.TRACK:
            return None, track_verdict(file, size)
        case _:
            return read(file, size, name_for(name, kind))


def by_name(name: str) -> Inspection | None:
    """Kind of a file by its extension alone; None: unknown."""
    kind = BY_NAME.get(PurePath(name).suffix.lower())
    return None if kind is None else Inspection(kind, 0 if kind is Kind.ZIP else 1)


def array_in_zip(file: BinaryIO) -> Array | None:
    """Array of a ZIP's images, by the first of them; None if they differ, or if it is unknown.

    They differ if their axes do: one form is sent for all.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _members(archive).array
    except (*_DAMAGE, OSError, NotImplementedError, RuntimeError):
        return None


def _members(archive: zipfile.ZipFile) -> Members:
    members = list(children(archive))
    images = [member for member in members if _is_called_like_an_image(member)]
    other_members = [member for member in members if not _is_called_like_an_image(member)]
    if not images:  # members with other names may still be images
        images, other_members = other_members[:MOST_PASSED_OVER], []
    return inspect_members(archive, images, other_members)


def images_in_zip(file: BinaryIO) -> int | None:
    """Number of images in a seekable remote ZIP; None if it is no ZIP of images."""
    try:
        inspection = _inspect_zip(file, arrays=False, most=MOST_ASKED_FOR)
    except (NoInput, OSError):
        return None
    return None if inspection.doubt else inspection.images


def _image_kind(head: bytes) -> Kind | None:
    """Kind of an image by its first bytes."""
    for kind, magics in (
        (Kind.PNG, PNG),
        (Kind.JPEG, JPEG),
        (Kind.TIFF, TIFFS),
        (Kind.GIF, GIFS),
        (Kind.JPEG2000, JPEG2000S),
    ):
        if head.startswith(magics):
            return kind
    for kind, is_kind in ((Kind.WEBP, is_webp), (Kind.BMP, is_bmp), (Kind.PNM, is_pnm)):
        if is_kind(head):
            return kind
    return None


def _inspect_zip(file: BinaryIO, *, arrays: bool = True, most: int = 0) -> Inspection:
    """Inspection of a ZIP, with its number of jobs.

    At most ``most`` members without an image name are opened; 0: MOST_LOOKED_INTO.

    Raises:
        NoInput: None of its members may be an image.

    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _children(archive)
            doubt = _doubt_of_images(archive, members, most or MOST_LOOKED_INTO)
            inspected = _members(archive) if arrays else Members()
            doubts = "; it ".join(filter(None, (doubt, *inspected.doubts)))
            return Inspection(Kind.ZIP, len(members), inspected.array, doubts)
    except _DAMAGE as error:
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # a disk error; bz2 raises one without errno, a seek before the file EINVAL
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except (NotImplementedError, RuntimeError) as error:  # an unknown method; a password
        raise NoInput(f"is a ZIP that cannot be read ({error})") from None


def _children(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Members that become jobs.

    Raises:
        NoInput: The Kiosk could not extract them.

    """
    all_members = archive.infolist()
    members = list(children(archive))
    if not all_members:
        raise NoInput("is a ZIP with no files in it")
    if fault := unpack_fault(all_members):
        raise NoInput(fault)
    if not members:
        raise NoInput(
            "is a ZIP in which the Kiosk would find nothing (no file in it has a name with"
            " an ending, such as .png; name them so)"
        )
    _check_names(members)
    return members


def _doubt_of_images(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], most: int) -> str:
    """Doubt if no image was found among the opened members.

    Raises:
        NoInput: None of the members is an image.

    """
    opened = 0
    for member in _likeliest(members):
        if _is_image(archive, member):
            return ""
        opened += not _is_called_like_an_image(member)
        if opened == most:
            break
    if opened < most:
        raise NoInput(
            f"is a ZIP without images (none of the {len(members):,} files in it that would become"
            " jobs is one)"
        )
    return (
        f"is a ZIP in which no image was found ({opened:,} of the {len(members):,} files in it"
        " were looked into)"
    )


def _likeliest(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Members with image names first, each part in the ZIP's order."""
    return sorted(members, key=lambda member: not _is_called_like_an_image(member))


def _is_called_like_an_image(member: zipfile.ZipInfo) -> bool:
    return os.path.splitext(member.filename)[1].lower() in BY_NAME


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    """Reject names that the Kiosk's comma-separated lists of children cannot carry.

    Its consumer would wait for parts of such a name forever (``ZipFileConsumer._consume``).

    Raises:
        NoInput: A name contains a comma.

    """
    names = [name for member in members if SEPARATOR in (name := child_name(member))]
    if names:
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        raise NoInput(
            "is a ZIP that the Kiosk would never finish (a comma in a name in it breaks the"
            f" Kiosk's lists: rename {shown_name(names[0])}{more})"
        )


def _is_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as content:
        return _image_kind(content.read(_BEGIN_BYTES)) is not None
