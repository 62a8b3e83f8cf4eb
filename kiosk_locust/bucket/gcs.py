"""A bucket of Google Cloud Storage."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


class GoogleBucket:
    """See `kiosk_locust.bucket.protocol.Bucket` for what its methods promise."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def url(self) -> str:
        """The bucket's address."""
        return f"gs://{self._name}"

    def url_of(self, name: str) -> str:
        """The address of an object."""
        return f"{self.url}/{name}"

    def check(self, *, reading: str = "", writing: str = "") -> None:
        """Ask whether it is there and may be used."""
        raise NotImplementedError

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        raise NotImplementedError

    def put(self, path: Path, name: str, *, public: bool = False) -> str:
        """Upload a file."""
        raise NotImplementedError

    def get(self, name: str, path: Path) -> None:
        """Download an object."""
        raise NotImplementedError

    def open(self, name: str) -> BinaryIO:
        """Open an object to read parts of it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close its connections."""
