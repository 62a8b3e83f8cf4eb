"""Messages that cannot be read: the listener goes on, and they are counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message

from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import RelayError
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.master_runner import _unpacking

GOOD = Message("heartbeat", None, "w1")


@pytest.fixture
def counted() -> Iterator[Callable[[], int]]:
    before = UNREAD.count
    yield lambda: UNREAD.count - before
    UNREAD.count = before


def receiving(*answers: Any) -> Callable[[Any], Any]:
    """What receives these one after the other; an error is raised."""
    left = list(answers)

    def receive(_socket: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return locust_patches._next_readable(receive)


@pytest.mark.parametrize(
    "unreadable",
    [
        ValueError("no such bytes"),
        TypeError("too many values"),
        IndexError("one part only"),
        RPCReceiveError("corrupted", addr="w1"),
        ("w1", Message(5, None, "w1")),
        ("w1", Message("stats", None, ["w1"])),
    ],
)
def test_what_cannot_be_read_is_left_out_and_the_next_message_is_heard(
    unreadable: Any, counted: Callable[[], int]
) -> None:
    assert receiving(unreadable, unreadable, ("w1", GOOD))(None) == ("w1", GOOD)
    assert counted() == 2


def test_a_message_of_the_master_is_read_alike(counted: Callable[[], int]) -> None:
    assert receiving(ValueError("no such bytes"), GOOD)(None) is GOOD
    assert counted() == 1


def test_an_error_of_the_connection_stays_locusts_affair(counted: Callable[[], int]) -> None:
    with pytest.raises(RPCError):
        receiving(RPCError("the network is broken"))(None)
    assert counted() == 0


def test_a_message_of_ours_that_is_none_is_counted_and_logged(
    counted: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    def listener(worker: str, data: object) -> None:
        raise RelayError(f"a message that is no Report came in from {worker}: {data}")

    with caplog.at_level(logging.ERROR, "kiosk_locust.distributed.unreadable_messages"):
        _unpacking(listener)(msg=Message("kiosk_report", 7, "w1"), environment=None)
    assert counted() == 1
    assert "a message of w1 could not be read, and is left out: a message that is no" in caplog.text
