"""What a run moved: its uploads and downloads, counted in the ledger."""

# ruff: noqa: S608  the parts of the SQL here are constants of this package, no input

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

_CHOSEN = "(:cycle IS NULL OR cycle = :cycle)"
_UPLOADS = f"""SELECT count(name), coalesce(sum(bytes) FILTER (WHERE name IS NOT NULL), 0),
    count(*) - count(name) FROM uploads JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN}"""
_DOWNLOADS = f"""SELECT count(path), coalesce(sum(bytes) FILTER (WHERE path IS NOT NULL), 0)
    FROM downloads JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN}"""
_WITH_RESULT = f"SELECT count(*) FROM tickets WHERE {_CHOSEN} AND outcome IN ('done', 'partial')"

#: Where the seconds of each way are read.
TIMES = {
    "file_upload": f"""SELECT ended_at - began_at AS value FROM uploads
        JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN} AND name IS NOT NULL""",
    "result_download": f"""SELECT ended_at - began_at AS value FROM downloads
        JOIN tickets ON tickets.id = ticket_id WHERE {_CHOSEN} AND path IS NOT NULL""",
}
#: When a job was begun: its upload, where it has one, comes before its submission.
BEGUN_AT = """coalesce((SELECT min(began_at) FROM uploads
    WHERE ticket_id = tickets.id AND name IS NOT NULL), submitted_at)"""


@dataclass(frozen=True, slots=True)
class Moved:
    """Counts of whole files, of their bytes, and of what failed."""

    uploads: int
    uploaded_bytes: int
    upload_errors: int  # tries that failed; most are tried again
    downloads: int
    downloaded_bytes: int
    results_missing: int  # of jobs that made something, where it was to be downloaded


def count(db: sqlite3.Connection, given: Mapping[str, object], *, is_downloading: bool) -> Moved:
    """The counts of one cycle or all, chosen by ``given``."""
    uploads, uploaded_bytes, upload_errors = db.execute(_UPLOADS, given).fetchone()
    downloads, downloaded_bytes = db.execute(_DOWNLOADS, given).fetchone()
    (made,) = db.execute(_WITH_RESULT, given).fetchone()
    missing = made - downloads if is_downloading else 0
    return Moved(uploads, uploaded_bytes, upload_errors, downloads, downloaded_bytes, missing)
