"""Each event's effect on a record, and what an account's own bytes tell of a ticket."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from kiosk_locust.codec import encode
from kiosk_locust.formatting.json_text import dumps
from kiosk_locust.ledger.apply_event import apply, taken_of
from kiosk_locust.ledger.send_account import Sent
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    Download,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
    Upload,
)
from kiosk_locust.model.ticket_events import (
    Closed,
    ExpireFailed,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)

MAYBE = Attempt(1, 1.0, None, None, AttemptResult.MAYBE)
CHANGE = StatusChange("started", 3.0, 2.0, None, "pod")
UPLOAD = Upload(1.0, 2.0, 3, "uploads/a.png")
REQUEST = JobRequest("mesmer", "b.tif", "uploads/b.tif", channels="0,1")
#: As workers write it into their accounts, in all versions.
ABOUT = b'["Two",["mesmer","b.tif","uploads/b.tif","","","","","","","","0,1",""],104.0]'


def record() -> Record:
    """A record that has a user, an attempt, an upload and a status."""
    return Record(
        Ticket(1, 1, 1, None, "a.png"),
        "One",
        JobRequest("segmentation", "a.png", "uploads/a.png"),
        1.0,
        attempts=[MAYBE],
        upload=UPLOAD,
        changes=[CHANGE],
    )


def changed(event: TicketEvent) -> dict[str, Any]:
    """The fields of a record that are others once the event was applied."""
    before, after = record(), record()
    apply(after, event)
    names = [field.name for field in fields(Record)]
    return {n: getattr(after, n) for n in names if getattr(after, n) != getattr(before, n)}


@pytest.mark.parametrize(
    ("event", "effect"),
    [
        (
            Taken("Two", REQUEST, 104.0),
            {"user_class": "Two", "request": REQUEST, "taken_at": 104.0},
        ),
        (Upload(5.0, 6.0, 7, "uploads/b"), {"upload": Upload(5.0, 6.0, 7, "uploads/b")}),
        (Upload(5.0, 6.0, 7, error="no"), {"upload": None}),
        (
            Tried(MAYBE, ambiguous=True),
            {"ambiguous": True, "attempts": [MAYBE, replace(MAYBE, number=2)]},
        ),
        (Submitted("job", 2.0), {"job_id": "job", "submitted_at": 2.0}),
        (CHANGE, {"changes": [CHANGE, CHANGE]}),
        (
            Closed("job", Outcome.DONE, "why", 9.0, 4, 7.0, 8.0, {"status": "done"}),
            {
                "job_id": "job",
                "outcome": Outcome.DONE,
                "reason": "why",
                "closed_at": 9.0,
                "polls": 4,
                "observed_after": 7.0,
                "observed_at": 8.0,
                "snapshot": Snapshot({"status": "done"}),
            },
        ),
        (Returned(), {}),
        (Download(1.0, 2.0, 3, 1, "a.zip"), {}),
        (ExpireFailed("gone"), {"expire_error": "gone"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_event_changes_this_of_a_record_and_nothing_else(
    event: TicketEvent, effect: dict[str, Any]
) -> None:
    assert changed(event) == effect


def test_an_attempt_is_handed_on_under_the_records_own_number() -> None:
    applied = apply(record(), Tried(MAYBE, ambiguous=False))
    assert isinstance(applied, Tried)
    assert applied.attempt.number == 2


def test_the_bytes_that_workers_have_always_kept_of_a_ticket_can_be_read() -> None:
    assert taken_of(Sent(1, 1, ABOUT, None)) == Taken("Two", REQUEST, 104.0)


def test_workers_go_on_to_write_these_bytes() -> None:
    assert dumps(encode(Taken("Two", REQUEST, 104.0))) == ABOUT


@pytest.mark.parametrize("about", [b"", b"\xff", b"{", b"[]", b'["Taken"]', ABOUT[:-2] + b",1]"])
def test_bytes_of_another_form_tell_nothing(about: bytes) -> None:
    assert taken_of(Sent(1, 1, about, None)) is None
