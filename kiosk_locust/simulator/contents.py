"""The files in the simulated bucket as the Kiosk's consumers read them."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from kiosk_locust.consumer.archive import child_name, children
from kiosk_locust.consumer.arrays import JPEG, PNG, TIFFS, Array, array_of, is_for_tifffile
from kiosk_locust.consumer.tracks import TRACKS

#: So many files are remembered: a benchmark names one again and again.
REMEMBERED = 256
#: Larger members of a ZIP are taken for readable.
MOST_UNPACKED_BYTES = 64 * 1024 * 1024
_OTHERS_OF_PILLOW = (b"GIF8", b"BM", b"RIFF", b"\0\0\0\x0cjP")


class Image(NamedTuple):
    """A file that a consumer reads as an image, or fails to."""

    name: str
    is_readable: bool
    array: Array | None  # None: not known


class Contents(NamedTuple):
    """An object in the bucket: an image, and where it is a ZIP its children."""

    image: Image
    children: tuple[Image, ...] | None  # None: it is no ZIP


class Reader:
    """Reads objects in ``folder``; what is not there is not known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._look = lru_cache(maxsize=REMEMBERED)(self._read)

    def look(self, name: str) -> Contents | None:
        """What the object ``name`` holds; None where the folder has no such file."""
        path = self._folder / name
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                return None
            status = path.stat()
        except (OSError, ValueError):
            return None
        return self._look(name, status.st_size, status.st_mtime_ns)

    def _read(self, name: str, size: int, _changed_at: int) -> Contents | None:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                image = _image(file, size, path.name)
                is_zip = zipfile.is_zipfile(file)
            return Contents(image, _children(path) if is_zip else None)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile):
            return Contents(image, None)  # zipfile cannot unpack it: a password, a method
        except OSError:
            return None


def _children(path: Path) -> tuple[Image, ...]:
    found = []
    with zipfile.ZipFile(path) as archive:
        for member in children(archive):
            name = child_name(member)
            if member.file_size > MOST_UNPACKED_BYTES:
                found.append(Image(name, is_readable=True, array=None))
                continue
            with archive.open(member) as content:
                found.append(_image(cast("BinaryIO", content), member.file_size, name))
    return tuple(found)


def _image(file: BinaryIO, size: int, name: str) -> Image:
    if name.lower().endswith(TRACKS):
        return Image(name, is_readable=True, array=None)
    file.seek(0)
    begin = file.read(12)
    known = TIFFS if is_for_tifffile(name) else (*TIFFS, PNG, JPEG, *_OTHERS_OF_PILLOW)
    if not begin.startswith(known):
        return Image(name, is_readable=False, array=None)
    return Image(name, is_readable=True, array=array_of(file, size, name))
