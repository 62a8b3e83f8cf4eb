"""One job of a results file, from the ledger's rows: the older client's keys and ours."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from kiosk_locust.measures import is_zip, timing
from kiosk_locust.reading import Facts
from kiosk_locust.snapshot import Snapshot

#: Timings that a ZIP has one of for each child, so that they are lists there.
PER_IMAGE = (
    "total_time",
    "prediction_time",
    "postprocess_time",
    "upload_time",
    "download_time",
    "predict_retries",
)
#: Numbers of which every job has at most one.
SINGLE = ("total_jobs", "cleanup_time", "children_upload_time")

Row = dict[str, Any]

_JOBS = """SELECT tickets.*, requests.body FROM tickets
    LEFT JOIN requests ON requests.id = request_id
    WHERE :cycle IS NULL OR cycle = :cycle ORDER BY tickets.id"""
_ATTEMPTS = "SELECT * FROM attempts ORDER BY ticket_id, number"
_CHANGES = """SELECT ticket_id, status, after, observed_at, updated_at, updated_by
    FROM changes ORDER BY ticket_id, observed_at"""
_UPLOADS = "SELECT * FROM uploads ORDER BY ticket_id, number"
_DOWNLOADS = "SELECT * FROM downloads ORDER BY ticket_id"
_TIMES = """SELECT ticket_id, kept, ended, ended_since_due, duration_s, duration_from,
    duration_error_s, is_corrected, flaw, since_due_s, lag_s, socket_wait_s, submission_http_s,
    creation_s, queue_wait_s, processing_s, detection_s, unknown_s
    FROM temp.times ORDER BY ticket_id"""
_OPTIONAL = ("due_at", "taken_at", "submitted_at", "observed_after", "observed_at", "closed_at")


def jobs(db: sqlite3.Connection, run: Facts, cycle: int | None) -> Iterator[dict[str, Any]]:
    """The jobs in order of their tickets, one at a time; all cycles' with None.

    `times.gather` has been called with the same connection.
    """
    attempts = _Companion(db, _ATTEMPTS)
    changes = _Companion(db, _CHANGES)
    uploads = _Companion(db, _UPLOADS)
    downloads = _Companion(db, _DOWNLOADS)
    times = _Companion(db, _TIMES)
    planned = json.dumps({name: run.options.get(name, "") for name in _REQUESTED})
    for row in _rows(db, _JOBS, {"cycle": cycle}):
        request = _request(row["body"] or planned)
        yield {
            **_legacy(row, request),
            **_ours(row, request),
            **next((_times(found) for found in times.of(row["id"])), {}),
            "attempts": [_attempt(attempt) for attempt in attempts.of(row["id"])],
            "uploads": [_upload(upload) for upload in uploads.of(row["id"])],
            "download": next((_download(found) for found in downloads.of(row["id"])), None),
            "status_changes": [_change(change) for change in changes.of(row["id"])],
        }


#: What a ticket that never became a job would have asked for stands in the options.
_REQUESTED = ("model_name", "model_version", "preprocess", "postprocess")


def _legacy(row: Row, request: Mapping[str, str]) -> dict[str, Any]:
    snapshot = Snapshot(json.loads(row["fields"] or "{}"))
    zipped = is_zip(request.get("image_name", row["file"]), row["job_id"] or "")
    fields = snapshot.fields
    return {
        "input_file": request.get("image_name", row["file"]),
        "status": row["status"],
        "download_url": fields.get("output_url"),
        "created_at": fields.get("created_at"),
        "finished_at": fields.get("finished_at"),
        **{name: _numbers(snapshot, name, zipped=zipped) for name in PER_IMAGE},
        **{name: _numbers(snapshot, name, zipped=False) for name in SINGLE},
        "model": f"{request.get('model_name', '')}:{request.get('model_version', '')}",
        "postprocess": request.get("postprocess", ""),
        "preprocess": request.get("preprocess", ""),
        "reason": row["reason"] or fields.get("reason"),
        "job_id": row["job_id"],
    }


def _ours(row: Row, request: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ticket": row["number"],
        "cycle": row["cycle"],
        "outcome": row["outcome"],
        "user_class": row["user_class"],
        "file": row["file"],
        "uploaded_name": row["uploaded_name"] or request.get("uploaded_name") or None,
        **{name: row[name] for name in _OPTIONAL},
        "ambiguous": bool(row["ambiguous"]),
        "polls": row["polls"],
        "images_done": row["images_done"] or 0,
        "images_failed": row["images_failed"] or 0,
        "expire_error": row["expire_error"],
    }


def _times(row: Row) -> dict[str, Any]:
    has_ended = bool(row["ended"])
    return {
        "in_summary": bool(row["kept"]),
        "duration_s": row["duration_s"] if has_ended else None,
        "duration_from": row["duration_from"],
        "duration_error_s": row["duration_error_s"],
        "duration_corrected": bool(row["is_corrected"]),
        "duration_flaw": row["flaw"] or None,
        "since_due_s": row["since_due_s"] if row["ended_since_due"] else None,
        "lag_s": row["lag_s"],
        "socket_wait_s": row["socket_wait_s"],
        "submission_http_s": row["submission_http_s"],
        "creation_s": row["creation_s"],
        "queue_wait_s": row["queue_wait_s"],
        "processing_s": row["processing_s"],
        "detection_s": row["detection_s"],
        "unknown_s": row["unknown_s"],
    }


def _attempt(row: Row) -> dict[str, Any]:
    return {
        "number": row["number"],
        "result": row["result"],
        "asked_at": row["asked_at"],
        "sent_at": row["sent_at"],
        "received_at": row["received_at"],
        "socket_wait_s": _span(row["asked_at"], row["sent_at"]),
        "http_s": _span(row["sent_at"], row["received_at"]),
        "http_status": row["http_status"],
        "error": row["error"] or None,
        "job_id": row["job_id"] or None,
    }


def _upload(row: Row) -> dict[str, Any]:
    return {
        "number": row["number"],
        "began_at": row["began_at"],
        "ended_at": row["ended_at"],
        "seconds": row["ended_at"] - row["began_at"],
        "bytes": row["bytes"],
        "name": row["name"],
        "error": row["error"],
    }


def _download(row: Row) -> dict[str, Any]:
    return {
        "began_at": row["began_at"],
        "ended_at": row["ended_at"],
        "seconds": row["ended_at"] - row["began_at"],
        "bytes": row["bytes"],
        "tries": row["tries"],
        "path": row["path"],
        "error": row["error"],
    }


def _change(row: Row) -> dict[str, Any]:
    return {
        "status": row["status"],
        "after": row["after"],
        "observed_at": row["observed_at"],
        "updated_at": row["updated_at"],
        "updated_by": row["updated_by"] or None,
    }


def _numbers(snapshot: Snapshot, name: str, *, zipped: bool) -> list[float] | float | None:
    found = timing(snapshot, name)
    if zipped:
        return list(found)
    return found[0] if found else None


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


@functools.lru_cache(maxsize=256)  # jobs that ask for the same share a row
def _request(body: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(body)
    return found


def _rows(db: sqlite3.Connection, sql: str, given: Mapping[str, object] = {}) -> Iterator[Row]:
    """Rows as dicts: looking a name up in sqlite3's own rows searches all columns."""
    cursor = db.execute(sql, given)
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, values, strict=True)) for values in cursor)


class _Companion:
    """Rows of another table, read beside the tickets in the same order, each row once."""

    def __init__(self, db: sqlite3.Connection, sql: str) -> None:
        self._rows = _rows(db, sql)
        self._next = next(self._rows, None)

    def of(self, ticket_id: int) -> Iterator[Row]:
        """The rows of this ticket; those of tickets before it are passed over."""
        while (row := self._next) is not None and row["ticket_id"] <= ticket_id:
            self._next = next(self._rows, None)
            if row["ticket_id"] == ticket_id:
                yield row
