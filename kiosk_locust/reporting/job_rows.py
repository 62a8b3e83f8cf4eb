"""One job of a results file, from the ledger's rows: the older client's keys and ours.

A run of a million jobs comes through here job by job, so SQLite gives each value under its key,
in the order of the file, and only what it cannot know is put in afterwards.
"""

from __future__ import annotations

import functools
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.model import image_failures
from kiosk_locust.model.job_metrics import first_number, is_zip, numbers

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

#: Each key of a job, in order, and its SQL; NULL: it is in the hash's fields or in the request.
_KEYS = {
    "input_file": "file",
    "status": "status",
    **dict.fromkeys(("download_url", "created_at", "finished_at", *PER_IMAGE, *SINGLE), "NULL"),
    **dict.fromkeys(("model", "postprocess", "preprocess"), "NULL"),
    "reason": "nullif(reason, '')",
    "job_id": "job_id",
    "ticket": "number",
    "cycle": "tickets.cycle",
    "outcome": "tickets.outcome",
    "user_class": "user_class",
    "file": "file",
    "uploaded_name": "nullif(uploaded_name, '')",
    "due_at": "tickets.due_at",
    "taken_at": "taken_at",
    "submitted_at": "tickets.submitted_at",
    "observed_after": "observed_after",
    "observed_at": "observed_at",
    "closed_at": "tickets.closed_at",
    "ambiguous": "ambiguous",
    "polls": "polls",
    "images_done": "coalesce(tickets.images_done, 0)",
    "images_failed": "coalesce(images_failed, 0)",
    "expire_error": "expire_error",
    "in_summary": "kept",
    "duration_s": "CASE WHEN ended THEN times.duration_s END",
    "duration_from": "times.duration_from",
    "duration_error_s": "duration_error_s",
    "duration_corrected": "is_corrected",
    "duration_flaw": "nullif(flaw, '')",
    "since_due_s": "CASE WHEN ended_since_due THEN since_due_s END",
    "since_due_error_s": "since_due_error_s",
    "ended_at": "times.ended_at",
    "ended_from": "ended_from",
    "lag_s": "lag_s",
    "socket_wait_s": "socket_wait_s",
    "submission_http_s": "submission_http_s",
    "creation_s": "creation_s",
    "queue_wait_s": "times.queue_wait_s",
    "interruptions": "interruptions",
    "interrupted_s": "interrupted_s",
    "interrupted_error_s": "interrupted_error_s",
    "processing_s": "processing_s",
    "detection_s": "detection_s",
    "unknown_s": "unknown_s",
    "unpacking_s": "unpacking_s",
    "children_s": "children_s",
    "packing_s": "packing_s",
    "stage_bounds_s": "stage_bounds",
}
#: SQLite has no booleans.
_BOOLEANS = ("ambiguous", "in_summary", "duration_corrected")
_ATTEMPT = {
    "number": "number",
    "result": "result",
    "asked_at": "asked_at",
    "sent_at": "sent_at",
    "received_at": "received_at",
    "socket_wait_s": "sent_at - asked_at",
    "http_s": "received_at - sent_at",
    "http_status": "http_status",
    "error": "nullif(error, '')",
    "job_id": "nullif(job_id, '')",
}
_UPLOAD = {
    "number": "number",
    "began_at": "began_at",
    "ended_at": "ended_at",
    "seconds": "ended_at - began_at",
    "bytes": "bytes",
    "name": "name",
    "error": "error",
}
_DOWNLOAD = {
    "began_at": "began_at",
    "ended_at": "ended_at",
    "seconds": "ended_at - began_at",
    "bytes": "bytes",
    "tries": "tries",
    "path": "path",
    "error": "error",
}
_CHANGE = {
    "status": "status",
    "after": "after",
    "observed_at": "observed_at",
    "updated_at": "updated_at",
    "updated_by": "nullif(updated_by, '')",
    "phase": "phase",
}
_JOBS = f"""SELECT {", ".join(_KEYS.values())}, tickets.id, fields, requests.body
    FROM tickets JOIN temp.times ON times.ticket_id = tickets.id
    LEFT JOIN requests ON requests.id = request_id
    WHERE tickets.id BETWEEN :first AND :last AND (:cycle IS NULL OR tickets.cycle = :cycle)
    ORDER BY tickets.id"""  # noqa: S608  constants
_IDS = "SELECT min(id), max(id) FROM tickets WHERE :cycle IS NULL OR cycle = :cycle"


def jobs(db: sqlite3.Connection, run: RunFacts, cycle: int | None) -> Iterator[dict[str, Any]]:
    """The jobs in order of their tickets, one at a time; all cycles' with None.

    `times.gather` has been called with the same connection.
    """
    given = {"cycle": cycle}
    ids = db.execute(_IDS, given).fetchone()
    chosen = {**given, "first": ids[0], "last": ids[1]}
    attempts = _Companion(db, "attempts", _ATTEMPT, "number", ids)
    uploads = _Companion(db, "uploads", _UPLOAD, "number", ids)
    downloads = _Companion(db, "downloads", _DOWNLOAD, "ticket_id", ids)
    changes = _Companion(db, "changes", _CHANGE, "observed_at", ids)
    planned = json.dumps({name: run.options.get(name, "") for name in _REQUESTED})
    for row in db.execute(_JOBS, chosen):
        job: dict[str, Any] = dict(zip(_KEYS, row, strict=False))
        ticket_id, fields, body = row[-3:]
        _add_asked(job, _asked(body or planned))
        read: Mapping[str, str] = loads(fields) if fields else {}
        _add_fields(job, read)
        _add_failures(job, read)
        for name in _BOOLEANS:
            job[name] = bool(job[name])
        if job["stage_bounds_s"]:
            job["stage_bounds_s"] = loads(job["stage_bounds_s"])
        job["attempts"] = attempts.of(ticket_id)
        job["uploads"] = uploads.of(ticket_id)
        job["download"] = next(iter(downloads.of(ticket_id)), None)
        job["status_changes"] = changes.of(ticket_id)
        yield job


#: What a ticket that never became a job would have asked for stands in the options.
_REQUESTED = ("model_name", "model_version", "preprocess", "postprocess")


class _Asked(NamedTuple):
    """What was asked of the Kiosk, as a job shows it."""

    image_name: str | None
    uploaded_name: str | None
    model: str
    postprocess: str
    preprocess: str


@functools.lru_cache(maxsize=256)  # jobs that ask for the same share a row
def _asked(body: str) -> _Asked:
    request: dict[str, str] = json.loads(body)
    return _Asked(
        request.get("image_name"),
        request.get("uploaded_name") or None,
        f"{request.get('model_name', '')}:{request.get('model_version', '')}",
        request.get("postprocess", ""),
        request.get("preprocess", ""),
    )


def _add_asked(job: dict[str, Any], asked: _Asked) -> None:
    if asked.image_name is not None:
        job["input_file"] = asked.image_name
    job["uploaded_name"] = job["uploaded_name"] or asked.uploaded_name
    job["model"] = asked.model
    job["postprocess"] = asked.postprocess
    job["preprocess"] = asked.preprocess


def _add_fields(job: dict[str, Any], fields: Mapping[str, str]) -> None:
    """Put in what the Kiosk wrote into the job's hash."""
    get = fields.get
    job["download_url"] = get("output_url")
    job["created_at"] = get("created_at")
    job["finished_at"] = get("finished_at")
    job["reason"] = job["reason"] or get("reason")
    zipped = is_zip(job["input_file"], job["job_id"] or "")
    for name in PER_IMAGE:
        job[name] = list(numbers(get(name))) if zipped else first_number(get(name))
    for name in SINGLE:
        job[name] = first_number(get(name))


def _add_failures(job: dict[str, Any], fields: Mapping[str, str]) -> None:
    """Put in the failed images of a ZIP, and how many of them are not known by name."""
    images = image_failures.of_fields(fields) if fields.get("failures") else []
    zipped = is_zip(job["input_file"], job["job_id"] or "")
    job["failures"] = [image._asdict() for image in images]
    job["failures_left_out"] = max(0, job["images_failed"] - len(images)) if zipped else 0


#: What comes after the last row.
_NO_ROW: tuple[Any, ...] = (math.inf,)


class _Companion:
    """Rows of another table as dicts, read beside the tickets in the same order, each once."""

    def __init__(
        self,
        db: sqlite3.Connection,
        table: str,
        keys: Mapping[str, str],
        order: str,
        ids: tuple[int | None, int | None],
    ) -> None:
        self._keys = tuple(keys)
        sql = f"""SELECT {", ".join(keys.values())}, ticket_id FROM {table}
            WHERE ticket_id BETWEEN ? AND ? ORDER BY ticket_id, {order}"""  # noqa: S608  constants
        self._rows = db.execute(sql, ids)
        self._next = next(self._rows, _NO_ROW)
        self._at: float = self._next[-1]  # the ticket of the next row

    def of(self, ticket_id: int) -> list[dict[str, Any]]:
        """The rows of this ticket; those of tickets before it are passed over."""
        found: list[dict[str, Any]] = []
        if self._at > ticket_id:  # most have no uploads and no downloads
            return found
        row = self._next
        while row[-1] <= ticket_id:
            if row[-1] == ticket_id:
                found.append(dict(zip(self._keys, row, strict=False)))
            row = next(self._rows, _NO_ROW)
        self._next, self._at = row, row[-1]
        return found
