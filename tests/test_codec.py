"""Messages survive msgpack, and what is no message is refused with a reason."""

from __future__ import annotations

import typing
from dataclasses import dataclass

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest

from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed.messages import (
    Drain,
    Fenced,
    Grant,
    Renewed,
    Reply,
    ReusedUpload,
    Terms,
    Welcome,
)
from kiosk_locust.errors import RelayError
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
    Entry,
    ExpireFailed,
    Returned,
    Submitted,
    Taken,
    TicketEvent,
    Tried,
)


@dataclass(frozen=True)
class Perhaps:
    """A message with unions in and out of a list."""

    several: tuple[Returned | ExpireFailed, ...]
    last: Returned | ExpireFailed | None


RECORD = Record(
    Ticket(3, 1, 3, 12.5, "a.png"),
    "KioskUser",
    JobRequest("segmentation", "a.png", "uploads/a.png"),
    1.0,
    attempts=[Attempt(1, 1.0, None, 2.0, AttemptResult.MAYBE, 500, "oh")],
    ambiguous=True,
    job_id="job",
    changes=[StatusChange("started", 3.0, 2.0, None, "pod")],
    snapshot=Snapshot({"status": "started"}),
    outcome=Outcome.DONE,
)
EVENTS: tuple[TicketEvent, ...] = (
    Taken("KioskUser", RECORD.request, 1.0),
    Upload(1.0, 2.0, 3, "uploads/a.png"),
    Tried(RECORD.attempts[0], ambiguous=True),
    Submitted("job", None),
    RECORD.changes[0],
    Closed("job", Outcome.PARTIAL, "", 4.0, 2, None, 3.5, {"status": "done"}),
    Closed("", Outcome.REJECTED, "no", 4.0, 0, None, None, None),
    Returned(),
    Download(1.0, 2.0, 3, 4, "a.zip"),
    ExpireFailed("gone"),
)


@pytest.mark.parametrize(
    "message",
    [
        RECORD,
        Reply("r", 1, 2.5, 7, Renewed(Grant(1, (RECORD,)), Drain("Ctrl-C", 30.0))),
        Reply("r", 1, 2.5, 7, Fenced(), (ReusedUpload(4, "x"),)),
        Welcome("r", 1, 1.0, 2.0, 3.0, 4.0, Terms(), {"host": "http://kiosk"}),
    ],
)
def test_a_message_comes_out_of_msgpack_as_it_went_in(message: object) -> None:
    assert decode(type(message), msgpack.loads(msgpack.dumps(encode(message)))) == message


def test_a_whole_number_may_stand_for_a_time() -> None:
    assert decode(Drain, ["Stop", 30]) == Drain("Stop", 30.0)


@pytest.mark.parametrize("data", [None, [], ["Stop"], ["Stop", "30"], [1, 30.0], {"ended_by": 1}])
def test_what_is_no_such_message_is_refused(data: object) -> None:
    with pytest.raises(RelayError, match=r"no Drain came in.*same version"):
        decode(Drain, data)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_each_event_of_a_ticket_comes_out_as_it_went_in(event: TicketEvent) -> None:
    entry = Entry(2, 7, event)
    assert decode(Entry, msgpack.loads(msgpack.dumps(encode(entry)))) == entry


def test_every_kind_of_event_is_among_these() -> None:
    assert {type(event) for event in EVENTS} == set(typing.get_args(TicketEvent))


def test_a_member_of_a_union_has_its_name_in_front_and_elsewhere_it_has_none() -> None:
    upload = Upload(1.0, 2.0, 3, "a", "")
    values = [1.0, 2.0, 3, "a", ""]
    assert encode(Entry(2, 7, upload)) == [2, 7, ["Upload", *values]]
    assert encode(upload) == values


@pytest.mark.parametrize(
    "event",
    [
        None,
        "Returned",
        [],
        ["Attempt"],
        [["Returned"]],
        [{}],
        [None],
        ["returned"],
        ["Returned", None],
        ["Submitted", "job"],
        ["Submitted", 1, 2.0],
        ["Submitted", "job", float("nan")],
        ["Tried", ["Attempt", 1, 1.0, None, None, "maybe", None, "", ""], False],
        {"Returned": 0},
    ],
)
def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(RelayError, match="no Entry came in"):
        decode(Entry, [2, 7, event])


def test_a_name_that_no_event_has_is_told_with_those_that_there_are() -> None:
    with pytest.raises(RelayError, match=r"'Lost' is none of Taken, Upload, Tried, .*ExpireFailed"):
        decode(Entry, [2, 7, ["Lost", 1]])


def test_a_union_may_hold_none() -> None:
    for last in (None, Returned(), ExpireFailed("gone")):
        message = Perhaps((Returned(),), last)
        assert decode(Perhaps, msgpack.loads(msgpack.dumps(encode(message)))) == message
