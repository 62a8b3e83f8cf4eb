"""What a file is: told by its first bytes and by whether the rest hangs together, not by its name.

What is checked is cheap and catches what goes wrong in practice: files that are something else,
and files that were cut off. Whether every pixel can be decoded is the Kiosk's to find out.
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
from kiosk_locust.consumer.arrays import JPEG, PNG, TIFFS, Array, look_at_tiff
from kiosk_locust.consumer.others import GIFS, JPEG2000S, is_bmp, is_pnm, is_webp
from kiosk_locust.consumer.reading import read
from kiosk_locust.consumer.tracks import TRACKS, is_track_file, track_verdict
from kiosk_locust.consumer.verdict import FileVerdict
from kiosk_locust.model.input_file import BY_NAME, Kind, name_for
from kiosk_locust.storage.inputs.members import Members, look_at_members
from kiosk_locust.storage.inputs.packing import shown_name, unpack_fault

ZIP, EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_BEGIN_BYTES = 18
#: Of a ZIP's files that are not called like images so many are looked into, until one is an image.
MOST_LOOKED_INTO = 10_000
#: The same of a ZIP that is no file here, where each look is a request.
MOST_ASKED_FOR = 100
#: Where no file in a ZIP is called like an image, so many of them are read as images.
MOST_PASSED_OVER = 64
#: What reading a damaged ZIP raises.
_DAMAGE = (zipfile.BadZipFile, struct.error, EOFError, ValueError, zlib.error, lzma.LZMAError)


class NoInput(Exception):
    """The file is no image and no ZIP of images; says what it is, as in “x.png …”."""


class Look(NamedTuple):
    """What a file is."""

    kind: Kind
    images: int  # 1, or the jobs that the Kiosk makes of a ZIP
    array: Array | None = None  # that consumers get from it (from a ZIP's images); None: not known
    doubt: str = ""  # why the Kiosk may fail on it, as in “x.png …”; empty: nothing is known


def look_at(path: Path) -> Look:
    """What ``path`` is; raises NoInput where no job could work on it, and OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        kind = _kind(file, path.name)
        if kind is None:
            raise NoInput("is neither PNG, JPEG, TIFF nor ZIP")
        if kind is Kind.ZIP:
            return _look_into(file)
        array, verdict = _image(kind, file, size, path.name)
    if verdict.fault:
        raise NoInput(verdict.fault)
    return Look(kind, 1, array, verdict.doubt)


def _kind(file: BinaryIO, name: str) -> Kind | None:
    """What a file is by its beginning; None: none of ours."""
    begin = file.read(_BEGIN_BYTES)
    if begin.startswith((ZIP, EMPTY_ZIP)):
        return Kind.ZIP
    kind = _image_kind(begin)
    if kind is None and name.lower().endswith(TRACKS) and is_track_file(file):
        return Kind.TRACK
    # zipfile takes whatever ends as a ZIP; self-extracting ones begin with a program.
    return Kind.ZIP if kind is None and zipfile.is_zipfile(file) else kind


def _image(kind: Kind, file: BinaryIO, size: int, name: str) -> tuple[Array | None, FileVerdict]:
    """The array of an image under the name that it is sent by, and what speaks against it."""
    match kind:
        case Kind.TIFF:
            array, verdict = look_at_tiff(file, size, name)
            if array is None and name_for(name, kind) != name:
                array, verdict = look_at_tiff(file, size, name_for(name, kind))
            return array, verdict
        case Kind.TRACK:
            return None, track_verdict(file, size)
        case _:
            return read(file, size, name_for(name, kind))


def by_name(name: str) -> Look | None:
    """What a file is by the end of its name alone; None: none of ours."""
    kind = BY_NAME.get(PurePath(name).suffix.lower())
    return None if kind is None else Look(kind, 0 if kind is Kind.ZIP else 1)


def array_in_zip(file: BinaryIO) -> Array | None:
    """The array of a ZIP's images, by the first of them; None where they differ, or it is unknown.

    They differ where they have other axes: one form is sent for all.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return _members(archive).array
    except (*_DAMAGE, OSError, NotImplementedError, RuntimeError):
        return None


def _members(archive: zipfile.ZipFile) -> Members:
    everything = list(children(archive))
    images = [member for member in everything if _is_called_like_an_image(member)]
    others = [member for member in everything if not _is_called_like_an_image(member)]
    if not images:  # those that are called otherwise may be images all the same
        images, others = others[:MOST_PASSED_OVER], []
    return look_at_members(archive, images, others)


def images_in_zip(file: BinaryIO) -> int | None:
    """How many images a ZIP has that is no file here, but can be sought in; None: it is none."""
    try:
        look = _look_into(file, arrays=False, most=MOST_ASKED_FOR)
    except (NoInput, OSError):
        return None
    return None if look.doubt else look.images


def _image_kind(begin: bytes) -> Kind | None:
    """What an image is by its first bytes."""
    for kind, magics in (
        (Kind.PNG, PNG),
        (Kind.JPEG, JPEG),
        (Kind.TIFF, TIFFS),
        (Kind.GIF, GIFS),
        (Kind.JPEG2000, JPEG2000S),
    ):
        if begin.startswith(magics):
            return kind
    for kind, is_one in ((Kind.WEBP, is_webp), (Kind.BMP, is_bmp), (Kind.PNM, is_pnm)):
        if is_one(begin):
            return kind
    return None


def _look_into(file: BinaryIO, *, arrays: bool = True, most: int = 0) -> Look:
    """A ZIP, with its number of jobs; raises NoInput unless one of them may be an image.

    At most ``most`` files that are not called like images are looked into; 0: MOST_LOOKED_INTO.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            members = _children(archive)
            doubt = _doubt_of_images(archive, members, most or MOST_LOOKED_INTO)
            found = _members(archive) if arrays else Members()
            doubts = "; it ".join(filter(None, (doubt, *found.doubts)))
            return Look(Kind.ZIP, len(members), found.array, doubts)
    except _DAMAGE as error:
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # it is the disk; bz2 raises one without a number, a place before the file EINVAL
        raise NoInput(f"is a ZIP that was cut off or is damaged ({error})") from None
    except (NotImplementedError, RuntimeError) as error:  # a method not known; a password
        raise NoInput(f"is a ZIP that cannot be read ({error})") from None


def _children(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that become jobs; raises NoInput where the Kiosk could not get at them."""
    everything = archive.infolist()
    members = list(children(archive))
    if not everything:
        raise NoInput("is a ZIP with no files in it")
    if fault := unpack_fault(everything):
        raise NoInput(fault)
    if not members:
        raise NoInput(
            "is a ZIP in which the Kiosk would find nothing (no file in it has a name with"
            " an ending, such as .png; name them so)"
        )
    _check_names(members)
    return members


def _doubt_of_images(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], most: int) -> str:
    """Why none of the members may be an image; raises NoInput where none is."""
    passed_over = 0
    for member in _likeliest(members):
        if _is_image(archive, member):
            return ""
        passed_over += not _is_called_like_an_image(member)
        if passed_over == most:
            break
    if passed_over < most:
        raise NoInput(
            f"is a ZIP without images (none of the {len(members):,} files in it that would become"
            " jobs is one)"
        )
    return (
        f"is a ZIP in which no image was found ({passed_over:,} of the {len(members):,} files in it"
        " were looked into)"
    )


def _likeliest(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Those that are called like images first, each part in the ZIP's order."""
    return sorted(members, key=lambda member: not _is_called_like_an_image(member))


def _is_called_like_an_image(member: zipfile.ZipInfo) -> bool:
    return os.path.splitext(member.filename)[1].lower() in BY_NAME


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    """Raise NoInput for names that the Kiosk's lists of children, joined by commas, cannot carry.

    Its consumer looks for the pieces of such a name for ever (``ZipFileConsumer._consume``).
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
