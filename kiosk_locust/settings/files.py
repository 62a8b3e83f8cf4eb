"""The bucket, and files that go in and come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kiosk_locust.bucket.address import Address
from kiosk_locust.settings import parsing
from kiosk_locust.settings.validation import Checker


@dataclass(frozen=True, slots=True)
class FilesOptions:
    """What becomes of files."""

    storage_bucket: str  # as Address.parse takes it; empty: none is known
    upload_results: bool
    public_results: bool


def files(check: Checker) -> FilesOptions:
    """The options of files; notes mistakes."""
    upload = check.take("upload_results", parsing.boolean, otherwise=True)
    not_at_all = check.take("no_upload_results", parsing.boolean, otherwise=False)
    return FilesOptions(
        storage_bucket=check.take_if_given("storage_bucket", _bucket) or "",
        upload_results=upload and not not_at_all,
        public_results=check.take("public_results", parsing.boolean, otherwise=False),
    )


def texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make a ledger's options of files again."""
    found = planned.get("files") or {}
    names = ("storage_bucket", "upload_results", "public_results")
    return {name: str(found[name]) for name in names if name in found}


def _bucket(text: str) -> str:
    return str(Address.parse(parsing.plain(text)))
