"""Content of files in the simulated bucket, as consumers read it."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kiosk_locust.consumer.archive import child_name, children
from kiosk_locust.consumer.arrays import Array, is_for_tifffile
from kiosk_locust.consumer.reading import NO_IMAGE, NO_TIFF, read

#: Cached files: a benchmark names one again and again.
MOST_CACHED = 256
#: Larger members of a ZIP are assumed to be readable.
MOST_UNPACKED_BYTES = 64 * 1024 * 1024
BAD_IMAGE = "ValueError: cannot identify image file, tried tifffile, PIL, imageio"


class Image(NamedTuple):
    """File that a consumer reads as an image, or fails to."""

    name: str
    error: str = ""  # the reader's exception; empty: it is readable
    array: Array | None = None  # None: unknown


class Contents(NamedTuple):
    """Object in the bucket: an image, and a ZIP's children."""

    image: Image
    children: tuple[Image, ...] | None  # None: not a ZIP


class ContentsReader:
    """Reader of objects in ``folder``; missing objects are unknown."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._read_cached = lru_cache(maxsize=MOST_CACHED)(self._read)

    def look(self, name: str) -> Contents | None:
        """Content of the object ``name``; None if the folder has no such file."""
        path = self._folder / name
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                return None
            status = path.stat()
        except (OSError, ValueError):
            return None
        return self._read_cached(name, status.st_size, status.st_mtime_ns)

    def _read(self, name: str, size: int, _changed_at: int) -> Contents | None:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                image = _image(file, size, path.name)
                is_zip = zipfile.is_zipfile(file)
            return Contents(image, _children(path) if is_zip else None)
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile):
            return Contents(image, None)  # zipfile cannot decompress it: a password, a method
        except OSError:
            return None


def _children(path: Path) -> tuple[Image, ...]:
    images = []
    with zipfile.ZipFile(path) as archive:
        for member in children(archive):
            name = child_name(member)
            if member.file_size > MOST_UNPACKED_BYTES:
                images.append(Image(name))
                continue
            images.append(_image(io.BytesIO(archive.read(member)), member.file_size, name))
    return tuple(images)


def _image(file: BinaryIO, size: int, name: str) -> Image:
    array, verdict = read(file, size, name)
    return Image(name, _error(verdict.fault, name), None if verdict.fault else array)


def _error(fault: str, name: str) -> str:
    """Exception of the library that fails on a file; empty if it reads it."""
    if not fault:
        return ""
    if fault in (NO_IMAGE.fault, NO_TIFF.fault):
        return BAD_IMAGE
    if is_for_tifffile(name):
        return f"ValueError: failed to read the bytes of an image (it {fault})"
    return f"OSError: image file is truncated (it {fault})"
