"""Messages survive msgpack, and what is no message is refused with a reason."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest

from kiosk_locust.codec import decode, encode
from kiosk_locust.distributed.messages import Drain, Grant, Reply, Terms, Welcome
from kiosk_locust.errors import RelayError
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import (
    Attempt,
    AttemptResult,
    JobRequest,
    Outcome,
    Record,
    StatusChange,
    Ticket,
)

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


@pytest.mark.parametrize(
    "message",
    [
        RECORD,
        Reply("r", 1, 2.5, 7, Grant(1, (RECORD,)), Drain("Ctrl-C", 30.0), fenced=False),
        Reply("r", 1, 2.5, 7, None, None, fenced=True),
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
