"""Addresses of buckets (STORAGE_BUCKET) and objects; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Google's rule for bucket names; those with dots may be longer.
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
#: Hosts that serve objects as https://HOST/BUCKET/NAME.
_HOSTS = ("storage.googleapis.com", "storage.cloud.google.com")
_ADVICE = (
    "must be gs://NAME, a bucket's bare NAME, gs://NAME/PREFIX for results that go below a "
    "prefix, or file:///FOLDER"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A Google bucket (``name``), or a ``folder`` in place of one.

    ``prefix`` has no outer slashes; results go below it.
    """

    name: str = ""
    folder: Path | None = None
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Address from ``text``.

        Raises:
            ValueError: It is invalid; the message names valid forms.

        """
        text = text.strip()
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "gs", text
        if scheme.lower() == "file":
            return cls(folder=_folder(text))
        if scheme.lower() != "gs":
            raise ValueError(_ADVICE)
        name, _, prefix = rest.partition("/")
        prefix = prefix.strip("/")
        if not _NAME.fullmatch(name) or not _is_plain(prefix):
            raise ValueError(_ADVICE)
        return cls(name=name, prefix=prefix)

    @property
    def url(self) -> str:
        """The bucket's root, such as ``gs://my-kiosk``."""
        return f"gs://{self.name}" if self.folder is None else self.folder.as_uri()

    def __str__(self) -> str:
        return f"{self.url}/{self.prefix}" if self.prefix else self.url

    def results(self, file_name: str) -> str:
        """Name of a results object, below ``output/``."""
        return "/".join(part for part in (self.prefix, "output", file_name) if part)


def split_object(url: str) -> tuple[Address, str] | None:
    """Bucket and name of an object's address; None for other addresses.

    Supported are ``gs://bucket/name``, and Google's https addresses of the same object,
    ``https://storage.googleapis.com/bucket/name`` and
    ``https://bucket.storage.googleapis.com/name``, with the name percent-encoded.
    """
    if url.startswith("gs://"):
        bucket, _, name = url.removeprefix("gs://").partition("/")
    else:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
        if parts.scheme not in ("http", "https"):
            return None
        if host in _HOSTS:
            bucket, _, name = path.partition("/")
        elif host.endswith("." + _HOSTS[0]):
            bucket, name = host.removesuffix("." + _HOSTS[0]), path
        else:
            return None
    if not name or not _NAME.fullmatch(bucket):
        return None
    return Address(name=bucket), name


def _folder(text: str) -> Path:
    parts = urlsplit(text)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or len(path) < 2 or parts.query or parts.fragment:
        raise ValueError(_ADVICE)
    return Path(path)


def _is_plain(prefix: str) -> bool:
    """Tell if a prefix has only named parts and no control characters."""
    parts = prefix.split("/") if prefix else []
    return prefix.isprintable() and not any(part in ("", ".", "..") for part in parts)
