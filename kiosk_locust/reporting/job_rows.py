"""One job of a results file, from the ledger's rows: the older client's keys and ours.

A run of a million jobs comes through here job by job: most keys are columns of a TimedJob, and only
what it cannot know is put in afterwards.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kiosk_locust.formatting.json_text import loads
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement.timed_jobs import TimedJob, timed_jobs
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

#: The first keys of a job, in order; those of a TimedJob follow.
_FIRST = (
    *("input_file", "status", "download_url", "created_at", "finished_at", *PER_IMAGE, *SINGLE),
    *("model", "postprocess", "preprocess"),
)
_BOOLEANS = ("ambiguous", "in_summary", "duration_corrected")


def jobs(db: sqlite3.Connection, run: RunFacts, cycle: int | None) -> Iterator[dict[str, Any]]:
    """The jobs in order of their tickets, one at a time; all cycles' with None.

    `timing_tables.gather` has been called with the same connection.
    """
    planned = json.dumps({name: run.options.get(name, "") for name in _REQUESTED})
    for rows in timed_jobs(db, cycle):
        job: dict[str, Any] = dict.fromkeys(_FIRST)
        job.update(zip(TimedJob._fields, rows.job, strict=True))
        job["input_file"] = rows.job.file
        _add_asked(job, _asked(rows.request or planned))
        fields: Mapping[str, str] = loads(rows.fields) if rows.fields else {}
        _add_fields(job, fields)
        _add_failures(job, fields)
        for name in _BOOLEANS:
            job[name] = bool(job[name])
        if job["stage_bounds_s"]:
            job["stage_bounds_s"] = loads(job["stage_bounds_s"])
        job["attempts"] = _dicts(rows.attempts)
        job["uploads"] = _dicts(rows.uploads)
        job["download"] = next(iter(_dicts(rows.downloads)), None)
        job["status_changes"] = _dicts(rows.changes)
        yield job


def _dicts(rows: Sequence[NamedTuple]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]


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
