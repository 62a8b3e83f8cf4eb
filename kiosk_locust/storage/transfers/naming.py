"""File names of downloads: they identify input and job, and are safe for any Kiosk response."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from kiosk_locust.model.record import Record

#: With the suffix of a partial file, below the 255 bytes that file systems allow.
MOST_BYTES = 200
_MOST_OF_INPUT, _MOST_OF_JOB = 120, 48


def result_name(record: Record, url: str) -> str:
    """File name of a job's result: ticket number, input, end of the job id.

    Letters of any language stay; characters with a meaning for file systems are replaced.
    """
    stem = _safe(PurePosixPath(record.request.image_name).stem, _MOST_OF_INPUT)
    job = _safe(record.job_id.rsplit(":", 1)[-1], _MOST_OF_JOB)
    return f"{record.ticket.id:06d}_{stem}_{job}{_suffix(url)}"


def _safe(text: str, most_bytes: int) -> str:
    """``text`` without separators, outer dots and control characters, shortened."""
    safe_text = re.sub(r"[^\w.-]+", "_", text).strip("._")
    return safe_text.encode("utf-8", "ignore")[:most_bytes].decode("utf-8", "ignore") or "_"


def _suffix(url: str) -> str:
    """Extension of the name in an address, if it is a plain one."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return ""
    suffix = PurePosixPath(path).suffix
    return suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
