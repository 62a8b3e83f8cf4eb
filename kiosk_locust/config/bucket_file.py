"""FILE as people write it, made the name within UPLOAD_PREFIX that jobs are sent with."""

from __future__ import annotations

from collections.abc import Callable

from kiosk_locust.config import parsers
from kiosk_locust.config.validation import Checker
from kiosk_locust.storage.bucket.address import Address, split_object


def taker(check: Checker, *, is_real: bool) -> Callable[[str], str]:
    """A parser of FILE by the UPLOAD_PREFIX and, for a real Kiosk, the STORAGE_BUCKET given.

    ``a.png``, ``uploads/a.png`` (as UPLOAD_PREFIX is) and ``gs://BUCKET/uploads/a.png`` (also its
    https address at Google) name one file. The parser raises ValueError for an object of another
    bucket, or outside UPLOAD_PREFIX; a name that changes is a notice.
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
    """The object's name in the bucket; raises ValueError."""
    found = split_object(text)
    if found is None:
        raise ValueError(
            "must be the name of a file in the upload folder, such as image.png, or its address,"
            " such as gs://BUCKET/uploads/image.png; a local file needs --upload"
        )
    address, name = found
    if bucket is not None and bucket.url != address.url:
        raise ValueError(
            f"is in another bucket than STORAGE_BUCKET ({bucket.url}): the Kiosk reads from its own"
            " bucket alone; copy the file there, or correct the one that is wrong"
        )
    return name
