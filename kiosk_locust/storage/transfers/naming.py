"""Names for what is downloaded: they tell input and job, and are safe whatever the Kiosk says."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from kiosk_locust.model.record import Record

#: With the suffix of a file in the making, below the 255 bytes that file systems allow.
MOST_BYTES = 200
_MOST_OF_INPUT, _MOST_OF_JOB = 120, 48


def result_name(record: Record, url: str) -> str:
    """The name of a job's result: number of the ticket, input, end of the job's id.

    Letters of any language stay; whatever could mean something to a file system does not.
    """
    stem = _safe(PurePosixPath(record.request.image_name).stem, _MOST_OF_INPUT)
    job = _safe(record.job_id.rsplit(":", 1)[-1], _MOST_OF_JOB)
    return f"{record.ticket.id:06d}_{stem}_{job}{_suffix(url)}"


def _safe(text: str, most_bytes: int) -> str:
    """``text`` without separators, dots at its ends and control characters, and not too long."""
    plain = re.sub(r"[^\w.-]+", "_", text).strip("._")
    return plain.encode("utf-8", "ignore")[:most_bytes].decode("utf-8", "ignore") or "_"


def _suffix(url: str) -> str:
    """The ending of the name in an address, if it is a plain one."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return ""
    suffix = PurePosixPath(path).suffix
    return suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
