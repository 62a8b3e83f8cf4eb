"""Records for tests: jobs as the listeners of events meet them."""

from __future__ import annotations

from collections.abc import Mapping

from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import measure
from kiosk_locust.model.ports import JobLog, JobObserver
from kiosk_locust.model.record import JobRequest, Outcome, Record, StatusChange, Ticket

FIELDS: Mapping[str, str] = {
    "status": "done",
    "created_at": "2027-01-15T08:00:00.000Z",
    "finished_at": "2027-01-15T08:00:05.000000+00:00",
    "total_time": "3.5",
    "download_time": "0.25",
}


def record(
    number: int = 0,
    outcome: Outcome | None = Outcome.DONE,
    fields: Mapping[str, str] | None = FIELDS,
    *,
    file: str = "a.png",
    reason: str = "",
    job_type: str = "segmentation",
) -> Record:
    """A job that took 5 s by the server's clock, with a queue wait of 1.5 s."""
    ticket = Ticket(number + 1, 1, number, 100.0, file)
    made = Record(ticket, "User", JobRequest(job_type, file, f"uploads/{file}"), 99.0)
    made.job_id = f"{job_type}{'-zip' if file.endswith('.zip') else ''}:{file}:{number}"
    made.snapshot = None if fields is None else Snapshot(fields)
    made.outcome = outcome
    made.reason = reason
    made.submitted_at = 100.0
    return made


def change(status: str) -> StatusChange:
    """A status that a poll saw."""
    return StatusChange(status, 101.0, 100.0, None, "")


def close_in(log: JobLog, record: Record) -> None:
    """Write the closed record into the log, as its job does."""
    log.close_ticket(record, measure(record))


def tell_closed(observer: JobObserver, record: Record) -> None:
    """Tell an observer of the closed record, as a run does."""
    observer.on_closed(record, measure(record))
