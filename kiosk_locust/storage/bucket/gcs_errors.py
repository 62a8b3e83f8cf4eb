"""Conversion of Google Cloud Storage errors to bucket errors with messages for users.

Messages omit request addresses: the one of an upload session permits writing.
"""

from __future__ import annotations

import re

import requests

from kiosk_locust.errors import (
    BucketError,
    BucketMissing,
    BucketUnreachable,
    DamagedObject,
    NameTaken,
    NoCredentials,
    NoSuchObject,
    NotPermitted,
)
from kiosk_locust.storage.bucket.gcs_client import (
    DataCorruption,
    GoogleAPICallError,
    GoogleAuthError,
    InvalidResponse,
    RetryError,
    TransportError,
)

#: Exceptions that `explained` converts.
EXPLAINED = (
    GoogleAPICallError,
    GoogleAuthError,
    RetryError,
    InvalidResponse,
    DataCorruption,
    requests.RequestException,
    ConnectionError,
)
_PREVENTED = "public access prevention"  # reported as a failed precondition
_MAY_PASS = (408, 429)
_SHOWN = 200  # characters of a server's message


class NoSession(Exception):
    """An upload session is gone or unavailable; start another."""


def explained(error: Exception, url: str) -> BucketError:
    """Bucket error for ``error`` of the object or bucket at ``url``."""
    if isinstance(error, RetryError):
        cause = error.cause
        if isinstance(cause, Exception):
            return explained(cause, url)
    if isinstance(error, DataCorruption):
        return DamagedObject(f"{url}: the bucket's checksum is not that of the file")
    if isinstance(error, GoogleAPICallError):
        return of_status(error.code or 0, str(error.message), url)
    if isinstance(error, InvalidResponse):
        return of_status(error.response.status_code, error.response.text, url)
    if isinstance(error, TransportError):
        return BucketUnreachable(f"{url}: Google's server for credentials cannot be reached")
    if isinstance(error, GoogleAuthError):
        reason = " ".join(str(part) for part in error.args[:1])[:_SHOWN]
        return NoCredentials(
            f"{url}: the credentials are not accepted ({reason}): renew them, or look at "
            "GOOGLE_APPLICATION_CREDENTIALS"
        )
    if isinstance(error, requests.Timeout):
        return BucketUnreachable(f"{url}: no answer in time")
    return BucketUnreachable(f"{url}: the bucket's server cannot be reached, or broke off")


def of_status(status: int, text: str, url: str) -> BucketError:
    """Bucket error for an HTTP status; ``text`` is the server's message."""
    reason = _reason(text)
    if status == 401:
        return NoCredentials(
            f"{url}: the credentials are not accepted (401{reason}): look at "
            "GOOGLE_APPLICATION_CREDENTIALS, or run 'gcloud auth application-default login'"
        )
    if status == 403:
        return NotPermitted(
            f"{url}: not permitted (403{reason}): give the account that runs this the role Storage "
            "Object User on the bucket"
        )
    if status == 404:
        if "bucket" in text.lower():
            return BucketMissing(f"{url}: there is no such bucket: correct STORAGE_BUCKET")
        return NoSuchObject(f"{url}: there is no such object")
    if status == 412 and _PREVENTED not in text.lower():
        return NameTaken(f"{url} is there already, and another")
    if status == 400 and re.search("crc32c|md5|checksum", text, re.IGNORECASE):
        return DamagedObject(f"{url}: it was damaged on its way, and refused{reason}")
    if status in _MAY_PASS or status >= 500:
        return BucketUnreachable(f"{url}: the bucket's server had a fault ({status}{reason})")
    return BucketError(f"{url}: the bucket's server says {status}{reason}")


def _reason(text: str) -> str:
    """A server's message on one line, without addresses; empty for an HTML page."""
    match = re.search(r'"message":\s*"([^"]+)"', text)
    words = " ".join(re.sub(r"(\b[A-Z]+ )?\S*://\S*", "", match[1] if match else text).split())
    if not words or words[0] in "{<":
        return ""
    return f", {words[:_SHOWN]!r}"
