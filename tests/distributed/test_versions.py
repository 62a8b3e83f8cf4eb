"""Which versions of master and worker understand each other, and what is said where they do not."""

from __future__ import annotations

import math
import typing
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest

import kiosk_locust
from kiosk_locust.codec import MOST, decode, decode_any_version, encode
from kiosk_locust.distributed import versions
from kiosk_locust.distributed.messages import Drain, Hello, Refusal, Report, Terms, Welcome
from kiosk_locust.distributed.versions import Version
from kiosk_locust.errors import RelayError
from kiosk_locust.model.ticket_events import TicketEvent


def test_this_process_says_the_packages_version() -> None:
    assert versions.own().number == kiosk_locust.__version__


def test_a_message_with_another_field_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions.own()
    field = Report.__dataclass_fields__["trouble"]
    monkeypatch.setattr(field, "type", "bytes")
    versions._messages.cache_clear()
    try:
        assert versions.own() != before
    finally:
        monkeypatch.undo()
        versions._messages.cache_clear()
    assert versions.own() == before


@pytest.mark.parametrize(
    ("data", "hello"),
    [
        ([1.5], Hello(1.5)),
        ([1.5, "0.1.0"], Hello(1.5, "0.1.0")),
        ([1.5, "0.1.0", "ab"], Hello(1.5, "0.1.0", "ab")),
        ([1.5, "9.0.0", "cd", {"new": [1, 2]}], Hello(1.5, "9.0.0", "cd")),
    ],
)
def test_a_hello_of_any_version_can_be_read(data: list[Any], hello: Hello) -> None:
    assert decode_any_version(Hello, msgpack.loads(msgpack.dumps(data))) == hello


@pytest.mark.parametrize("data", [None, [], "hello", {"asked_at": 1.0}, ["1.5"], [1.5, 2]])
def test_what_is_no_hello_is_refused(data: object) -> None:
    with pytest.raises(RelayError, match="no Hello"):
        decode_any_version(Hello, data)


def test_a_refusal_survives_msgpack() -> None:
    refusal = Refusal(1.0, "0.1.0", "ab")
    data = msgpack.loads(msgpack.dumps(encode(refusal)))
    assert decode_any_version(Refusal, data) == refusal


def test_both_sides_name_both_versions_and_say_what_to_do() -> None:
    other, mine = Version("0.0.9", "abcd"), str(versions.own())
    told = (versions.refusal_at_master("w1", other), versions.refusal_at_worker(other))
    for text in told:
        assert "kiosk_locust 0.0.9 (messages abcd)" in text
        assert mine in text
        assert "install the same version of kiosk_locust for the master and for all of its" in text
    assert "worker w1 is refused" in told[0]


def test_a_worker_that_says_no_version_is_called_older() -> None:
    text = versions.refusal_at_master("w1", versions.of_hello(Hello(1.0)))
    assert "it runs an older version of kiosk_locust, which does not say its number" in text


NO_TIMES = [math.nan, math.inf, -math.inf, 2 * MOST, -2 * MOST, 10**30, "12.5", True, None, [1.0]]


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_time_that_is_none_is_refused(time: object) -> None:
    with pytest.raises(RelayError, match="no Drain came in"):
        decode(Drain, ["Stop", time])


@pytest.mark.parametrize("time", NO_TIMES)
@pytest.mark.parametrize("place", range(2, 6))
def test_a_time_that_is_none_is_refused_wherever_it_stands(place: int, time: object) -> None:
    data = encode(Welcome("r", 1, 1.0, 2.0, 3.0, 4.0, Terms(), {}))
    data[place] = time
    with pytest.raises(RelayError, match="no Welcome came in"):
        decode(Welcome, data)


def test_a_whole_number_that_no_ledger_can_hold_is_refused() -> None:
    data = encode(Report("r", 1, 0.0, 1, 1, (), False, 0.0, 0.0, ""))
    assert decode(Report, data).ask == 1
    data[3] = 2**63
    with pytest.raises(RelayError, match="greater than any number"):
        decode(Report, data)


def test_the_error_quotes_no_more_than_a_little_of_what_came() -> None:
    with pytest.raises(RelayError) as told:
        decode(Drain, ["x" * 1_000_000, "y" * 1_000_000])
    assert len(str(told.value)) < 500


def test_the_digest_names_every_event_that_a_report_may_hold() -> None:
    lines = set(versions._lines(Report, set()))
    assert {event.__name__ for event in typing.get_args(TicketEvent)} <= lines
