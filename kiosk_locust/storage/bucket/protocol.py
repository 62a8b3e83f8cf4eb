"""Interface of buckets."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol


class Bucket(Protocol):
    """Named files that are written once; several greenlets may use a bucket at once.

    ``name`` is always an object's whole name, such as ``uploads/image.png``. Every method may raise
    BucketError: BucketMissing, NotPermitted, NoCredentials, BucketUnreachable.
    """

    @property
    def url(self) -> str:
        """The bucket's root, such as ``gs://my-kiosk`` or ``file:///tmp/bucket``."""

    def url_of(self, name: str) -> str:
        """Address of an object, such as ``gs://my-kiosk/uploads/image.png``."""

    def check(self, *, reading: str = "", writing: str = "", replacing: str = "") -> None:
        """Check that the bucket exists and can be used; change nothing.

        Args:
            reading: Name, or start of names, of objects to read; empty: not checked.
            writing: The same of new objects.
            replacing: The same of objects to overwrite.

        """

    def exists(self, name: str) -> bool:
        """Tell if there is such an object."""

    def put(self, path: Path, name: str, *, public: bool = False) -> str:
        """Upload a file under a free name, and return its address.

        It is streamed in pieces, resumed after interruptions, and verified by the bucket's
        checksum. A name with the same content already counts as done, so that repetition is safe.
        ``public`` lets everybody read it, if the bucket allows that for single objects; else a
        warning is logged.

        Raises:
            NameTaken: The name has other content.
            DamagedObject: The checksums differ.
            OSError: ``path`` cannot be read.

        """

    def generation(self, name: str) -> int:
        """Version of an object, a number that is never reused; 0 if there is none."""

    def size(self, name: str) -> int:
        """Size of an object in bytes; 0 if there is none."""

    def replace(self, path: Path, name: str, generation: int, *, public: bool = False) -> int:
        """Upload a file over that ``generation`` of an object, and return the new one.

        0 stands for no object. ``public`` is as for `put`, and so are further exceptions.

        Raises:
            NameTaken: The object has another generation now.

        """

    def remove(self, name: str, generation: int) -> None:
        """Delete that ``generation`` of an object, if it still exists.

        Raises:
            NameTaken: The object has another generation now.

        """

    def get(self, name: str, path: Path) -> None:
        """Download an object to ``path``, which is replaced atomically.

        It is streamed into ``path`` + ``.part``, continues an existing part, and is verified by its
        checksum.

        Raises:
            NoSuchObject: There is no such object.
            DamagedObject: The checksums differ.
            OSError: The file cannot be written.

        """

    def open(self, name: str) -> BinaryIO:
        """Open an object for seeking and reading.

        Raises:
            NoSuchObject: There is no such object.

        """

    def close(self) -> None:
        """Close all connections."""
