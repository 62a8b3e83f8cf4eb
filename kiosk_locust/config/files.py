"""The bucket, and files that go in and come out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kiosk_locust.config import parsing
from kiosk_locust.config.validation import Checker
from kiosk_locust.model.options import FilesOptions
from kiosk_locust.storage.bucket.address import Address

#: The simulated Kiosk's bucket, a folder in OUTPUT_DIR.
SIMULATED_BUCKET = "simulated_bucket"


def files(check: Checker, *, simulated: bool, output_dir: Path) -> FilesOptions:
    """The options of files; notes mistakes. A simulated run has a bucket of its own."""
    upload = check.take("upload_results", parsing.boolean, otherwise=True)
    not_at_all = check.take("no_upload_results", parsing.boolean, otherwise=False)
    bucket = check.take_if_given("storage_bucket", _bucket) or ""
    if simulated:
        if given := check.layers.get("storage_bucket"):
            check.notice(f"{given.shown} is left alone: these jobs are simulated")
        bucket = (output_dir.absolute() / SIMULATED_BUCKET).as_uri()
    every_s = check.take("checkpoint", _interval, 0.0)
    return FilesOptions(
        storage_bucket=bucket,
        upload_results=upload and not not_at_all,
        public_results=check.take("public_results", parsing.boolean, otherwise=False),
        checkpoint_s=0.0 if simulated else every_s,
    )


def texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make a ledger's options of files again."""
    found = planned.get("files") or {}
    names = ("storage_bucket", "upload_results", "public_results")
    given = {name: str(found[name]) for name in names if name in found}
    if "checkpoint_s" in found and not planned.get("simulated"):
        given["checkpoint"] = str(found["checkpoint_s"])
    return given


def _interval(text: str) -> float:
    """Seconds between two checkpoints; no bucket takes them more often than once a second."""
    seconds = parsing.seconds(text)
    if 0 < seconds < 1:
        raise ValueError("must be 0, which means never, or at least 1 s")
    return seconds


def _bucket(text: str) -> str:
    return str(Address.parse(parsing.plain(text)))
