"""What a bucket can do."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol


class Bucket(Protocol):
    """Named files that are written once; several greenlets may use one at the same time.

    ``name`` is always an object's whole name, such as ``uploads/image.png``. Every method may
    raise BucketError: BucketMissing, NotPermitted, NoCredentials, BucketUnreachable.
    """

    @property
    def url(self) -> str:
        """The bucket's root, such as ``gs://my-kiosk`` or ``file:///tmp/bucket``."""

    def url_of(self, name: str) -> str:
        """The address of an object, such as ``gs://my-kiosk/uploads/image.png``."""

    def check(self, *, reading: str = "", writing: str = "", replacing: str = "") -> None:
        """Ask whether the bucket is there and can be used, and change nothing.

        ``reading``, ``writing`` and ``replacing`` are names of objects, or beginnings of names,
        that would be read, written, or written over; where one is empty, it is not asked whether
        that is allowed.
        """

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""

    def put(self, path: Path, name: str, *, public: bool = False) -> str:
        """Upload a file under a name that is free, and return its address.

        It is streamed in pieces; what broke off goes on from where it was, and the bucket's
        checksum of it all is compared. A name that is taken by the very same content counts as
        done, so that repeating is safe; raises NameTaken where it is taken by anything else,
        DamagedObject where the checksums differ, and OSError where ``path`` cannot be read.
        ``public`` lets everybody read it, where the bucket allows that for single objects; a
        warning is logged where it does not.
        """

    def generation(self, name: str) -> int:
        """Which version of an object is there: a number that is never used twice; 0 if none is."""

    def size(self, name: str) -> int:
        """Size of an object in bytes; 0 if there is none."""

    def replace(self, path: Path, name: str, generation: int, *, public: bool = False) -> int:
        """Upload a file over that very ``generation`` of an object, and return the new one.

        0 stands for no object. Raises NameTaken where something else is there by now, and what
        `put` raises besides. ``public`` is as for `put`.
        """

    def remove(self, name: str, generation: int) -> None:
        """Delete that very ``generation`` of an object; one that is gone already is well.

        Raises NameTaken where something else is there by now.
        """

    def get(self, name: str, path: Path) -> None:
        """Download an object to ``path``, which appears whole or not at all.

        It is streamed into ``path`` + ``.part``, goes on with one that is there already, and its
        checksum is compared. Raises NoSuchObject, DamagedObject, and OSError where it cannot
        be written.
        """

    def open(self, name: str) -> BinaryIO:
        """Open an object to read parts of it; it can be sought in. Raises NoSuchObject."""

    def close(self) -> None:
        """Close its connections."""
