"""FILE of jobs without uploads, normalised to the name within UPLOAD_PREFIX."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.config import parsers
from kiosk_locust.config.validation import Checker
from kiosk_locust.storage.bucket.address import Address, split_object


def file_parser(check: Checker, *, is_real: bool) -> Callable[[str], str]:
    """Parser of FILE for the present UPLOAD_PREFIX and, with a real Kiosk, STORAGE_BUCKET.

    ``a.png``, ``uploads/a.png`` (below UPLOAD_PREFIX) and ``gs://BUCKET/uploads/a.png`` (also as
    https address at Google) name one file. The parser raises ValueError for an object of another
    bucket or outside UPLOAD_PREFIX, and adds a notice where it changes a name.
    """
    prefix, bucket_url = check.take("upload_prefix"), check.take("storage_bucket")
    bucket = Address.parse(bucket_url) if bucket_url and is_real else None

    def parse(text: str) -> str:
        text = parsers.plain(text)
        if "://" in text:
            name = _within_bucket(text, bucket)
            if prefix and not name.startswith(f"{prefix}/"):
                folder = name.rpartition("/")[0] or "/"
                raise ValueError(
                    f"is not in UPLOAD_PREFIX ({prefix}): set UPLOAD_PREFIX={folder}, or give the"
                    " name of a file in that folder"
                )
        else:
            name = parsers.file_name(text)
        name = parsers.file_name(name.removeprefix(f"{prefix}/") if prefix else name)
        if name != text:
            place = f"UPLOAD_PREFIX ({prefix})" if prefix else "the bucket"
            check.notice(f"FILE = {text}: the file {name} in {place} is meant")
        return name

    return parse


def _within_bucket(text: str, bucket: Address | None) -> str:
    """Name of the object in the bucket.

    Raises:
        ValueError: It is no object's address, or in another bucket.

    """
    parts = split_object(text)
    if parts is None:
        raise ValueError(
            "must be the name of a file in the upload folder, such as image.png, or its address,"
            " such as gs://BUCKET/uploads/image.png; a local file needs --upload"
        )
    address, name = parts
    if bucket is not None and bucket.url != address.url:
        raise ValueError(
            f"is in another bucket than STORAGE_BUCKET ({bucket.url}): the Kiosk reads from its own"
            " bucket alone; copy the file there, or correct the one that is wrong"
        )
    return name
