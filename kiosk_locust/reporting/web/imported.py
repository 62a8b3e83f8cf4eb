"""A results file as a ledger, so that whatever reads ledgers can read it."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.absent import why_absent
from kiosk_locust.ledger.imported_rows import (
    ImportedAttempt,
    ImportedChange,
    ImportedRows,
    ImportedTicket,
    write,
)
from kiosk_locust.ledger.sessions import Session
from kiosk_locust.ledger.validate import ODD, foreign, look_over
from kiosk_locust.model import definitions, image_failures
from kiosk_locust.model.job_hash import FINAL_STATUSES, parse_time
from kiosk_locust.reporting.job_rows import PER_IMAGE, SINGLE
from kiosk_locust.verdict import stored_facts
from kiosk_locust.verdict.judgement import Judgement

#: The head's facts that a ledger keeps as they are.
_TEXTS = ("run_id", "run_name", "host", "ended_by")
_TIMES = ("started_at", "time_zero", "ended_at")


@contextlib.contextmanager
def as_ledger(path: Path) -> Iterator[Path]:
    """A ledger of what is in ``path``: itself, or of a results file a copy that is deleted.

    Raises LedgerError for what is neither, and for all that trips over it meanwhile.
    """
    if path.suffix.lower() != ".json":
        look_over(path, stored_facts.check)
        with foreign(path):
            yield path
        return
    found = _load(path)
    with tempfile.TemporaryDirectory(prefix="kiosk-page-") as folder, foreign(path):
        made = Path(folder) / f"{path.stem}.db"
        try:
            write(made, _rows(found, path.stem))
            look_over(made, stored_facts.check)
        except (LedgerError, sqlite3.Error) as error:
            told = str(error).replace(str(made), "it")
            raise LedgerError(f"{path} is no results file: {told}") from error
        except ODD as error:
            raise LedgerError(f"{path} is no results file: {error!r:.200}") from error
        yield made


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise LedgerError(f"{path} cannot be read: {why_absent(path) or error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("job_data"), list):
        raise LedgerError(f"{path} is no results file: it has no list job_data")
    return found


def _rows(found: Mapping[str, Any], name: str) -> ImportedRows:
    """What a results file holds, as rows of a ledger that is called ``name``."""
    jobs = found["job_data"]
    return ImportedRows(
        facts=_meta(found, name),
        tickets=itertools.starmap(_ticket, enumerate(jobs)),
        attempts=(row for number, job in enumerate(jobs) for row in _attempts(number, job)),
        changes=(row for number, job in enumerate(jobs) for row in _changes(number, job)),
        sessions=map(_session, found.get("sessions") or []),
    )


def _session(session: Mapping[str, Any]) -> Session:
    return Session(
        session["number"],
        session["started_at"],
        session.get("time_zero"),
        session.get("ended_at"),
        session.get("ended_by") or "",
        session.get("changed") or {},
    )


def _meta(found: Mapping[str, Any], name: str) -> dict[str, str]:
    ended_at = found.get("ended_at")
    texts = {key: str(found.get(key) or "") for key in _TEXTS}
    times = {key: repr(float(found[key])) for key in _TIMES if found.get(key) is not None}
    if ended_at is None:  # the older client's
        times["ended_at"] = repr(max(map(_end_of, found["job_data"]), default=0.0))
    return {
        **texts,
        **times,
        "run_name": texts["run_name"] or name,
        "options": json.dumps(found.get("configuration") or {}),
        "versions": json.dumps(found.get("versions") or {}),
        "simulated": "true" if found.get("simulated") else "false",
        "finished": "true" if found.get("finished", True) else "false",
        **_definitions(found),
        **_cost(found),
        **_judgement(found),
    }


def _definitions(found: Mapping[str, Any]) -> dict[str, str]:
    """By which version of the definitions its verdict was made; older files do not say."""
    version = found.get(definitions.KEY)
    return {definitions.KEY: str(version)} if isinstance(version, int) else {}


def _cost(found: Mapping[str, Any]) -> dict[str, str]:
    """What a results file says under ``cost``, as a ledger has it; nothing where it has none."""
    cost = found.get("cost")
    if not isinstance(cost, dict):
        return {}
    estimate = cost.get("estimate")
    priced = Priced({}, estimate) if isinstance(estimate, dict) else None
    told = RunCost(str(cost.get("asked") or ""), str(cost.get("trouble") or ""), priced)
    return {"cost": told.as_text()}


def _judgement(found: Mapping[str, Any]) -> dict[str, str]:
    """The verdict and the thresholds, as a ledger has them; nothing where there are none."""
    verdict = found.get("verdict")
    if not isinstance(verdict, dict):
        return {}
    text = json.dumps(verdict)
    Judgement.from_text(text)  # raises for what is none
    return {"judgement": text}


def _ticket(number: int, job: Mapping[str, Any]) -> ImportedTicket:
    """A job's row; what the older client did not write follows from what it did."""
    status = job.get("status")
    outcome = job.get("outcome") or (status if status in ("done", "failed") else "error")
    created, finished = (_moment(job.get(key)) for key in ("created_at", "finished_at"))
    span = finished - created if created is not None and finished is not None else None
    values = {
        "id": number,
        "cycle": job.get("cycle") or 1,
        "number": job.get("ticket", number),
        "state": "closed",
        "file": job.get("input_file") or "",
        "taken_at": job.get("taken_at"),
        "ambiguous": int(bool(job.get("ambiguous"))),
        "polls": job.get("polls") or 0,
        "outcome": outcome,
        "closed_at": job.get("closed_at", finished),
        "fields": json.dumps(_fields(job)),
    }
    if "outcome" not in job:
        values |= {"taken_at": created or 0.0, "submitted_at": created, "duration_s": span}
        values |= {"images_done": int(outcome == "done"), "images_failed": int(outcome != "done")}
        values |= {"duration_from": None if span is None else "finished_at"}
    return ImportedTicket._make(values.get(name, job.get(name)) for name in ImportedTicket._fields)


def _fields(job: Mapping[str, Any]) -> dict[str, str]:
    """The Kiosk's own words, as far as a results file keeps them."""
    kept = {name: _as_text(job.get(name)) for name in (*PER_IMAGE, *SINGLE)}
    texts = {
        "output_url": job.get("download_url"),
        "created_at": job.get("created_at"),
        "finished_at": job.get("finished_at"),
    }
    if images := job.get("failures"):
        texts["failures"] = image_failures.encoded(
            image_failures.FailedImage(image["name"], image["reason"]) for image in images
        )
    texts |= _final_stamp(job)
    return {name: str(text) for name, text in (kept | texts).items() if text not in (None, "")}


def _as_text(value: Any) -> str | None:
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return None if value is None or value == "None" else str(value)


def _attempts(ticket_id: int, job: Mapping[str, Any]) -> Iterator[ImportedAttempt]:
    for attempt in job.get("attempts") or []:
        yield ImportedAttempt(
            ticket_id,
            number=attempt["number"],
            asked_at=attempt["asked_at"],
            sent_at=attempt.get("sent_at"),
            received_at=attempt.get("received_at"),
            result=attempt["result"],
            http_status=attempt.get("http_status"),
            error=attempt.get("error"),
            job_id=attempt.get("job_id"),
        )


def _changes(ticket_id: int, job: Mapping[str, Any]) -> Iterator[ImportedChange]:
    for change in job.get("status_changes") or []:
        yield ImportedChange(
            ticket_id,
            observed_at=change["observed_at"],
            after=change["after"],
            status=change["status"],
            updated_at=change.get("updated_at"),
            updated_by=change.get("updated_by"),
            phase=change.get("phase"),
        )


def _final_stamp(job: Mapping[str, Any]) -> dict[str, str | None]:
    """Who wrote the final status, and when, as far as polls saw it."""
    last = (job.get("status_changes") or [{}])[-1]
    at = last.get("updated_at")
    if last.get("status") not in FINAL_STATUSES or not isinstance(at, (int, float)):
        return {}
    stamp = datetime.fromtimestamp(at, UTC).isoformat()
    return {"updated_at": stamp, "updated_by": last.get("updated_by")}


def _moment(text: object) -> float | None:
    return parse_time(text) if isinstance(text, str) else None


def _end_of(job: Mapping[str, Any]) -> float:
    return _moment(job.get("finished_at")) or 0.0
