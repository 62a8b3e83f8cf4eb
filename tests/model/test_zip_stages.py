"""Stages of ZIPs with numbers that were worked out by hand; the truth of all: created at 1000,
taken at 1004, unpacked at 1010, packed from 1040 on, ended at 1050."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.time_bounds import Moment
from kiosk_locust.model.zip_stages import Stage, ZipStages, zip_stages

CREATED = Moment(1000.0, 1000.0, 1000.0)
ENDED = Moment(1050.0, 1050.0, 1050.0)
LAST = StatusChange("done", 1051.0, 1049.0, 1050.0, "c-2", "packing")


def no_offset(_clock: str, _moment: float) -> Sequence[float] | None:
    return None


def right(_clock: str, _moment: float) -> Sequence[float] | None:
    return (0.0, 0.0)


def stages(*changes: StatusChange, **given: Any) -> ZipStages:
    values: dict[str, Any] = {
        "created": CREATED, "ended": ENDED, "offset_of": no_offset, "unpacking_s": 6.0,
        "packing_s": 10.0, **given,
    }  # fmt: skip
    return zip_stages(changes=(*changes, LAST), **values)


def new(after: float, observed: float, by: str = "", updated: float | None = None) -> StatusChange:
    return StatusChange("new", observed, after, updated, by, "unpacking" if by else "queue")


def waiting(
    after: float, observed: float, phase: str = "children", updated: float | None = None
) -> StatusChange:
    return StatusChange("waiting", observed, after, updated, "c-1", phase)


def test_polls_before_and_after_bound_when_it_left_the_queue() -> None:
    """Taken between 1003 and 1005 by the one poll, unpacked between 1009 and 1011 by the other."""
    found = stages(new(1000, 1001), new(1003, 1005, "c-1"), waiting(1009, 1011))
    assert found.queue_wait == Stage(4.0, 3.0, 5.0)
    assert found.unpacking == Stage(6.0, 6.0, 6.0)
    assert found.children == Stage(30.0, 29.0, 31.0)
    assert found.packing == Stage(10.0, 10.0, 10.0)
    assert found.interrupted is None
    assert found.error_s == 1.0


def test_what_bounds_the_one_moment_bounds_the_other() -> None:
    """Unpacked after 1009.5, so taken after 1003.5; taken by 1004.5, so unpacked by 1010.5."""
    found = stages(new(1000, 1004.5, "c-1"), waiting(1009.5, 1019.5))
    assert found.queue_wait == Stage(4.0, 3.5, 4.5)
    assert found.children == Stage(30.0, 29.5, 30.5)


def test_a_stamp_of_a_clock_that_is_known_bounds_it_from_above() -> None:
    seen = (new(1003, 1008, "c-1"), waiting(1008, 1020, updated=1011.0))
    assert stages(*seen).queue_wait == Stage(5.5, 3.0, 8.0)
    assert stages(*seen, offset_of=right).queue_wait == Stage(4.0, 3.0, 5.0)


def test_without_what_the_kiosk_measured_polls_bound_each_stage() -> None:
    found = stages(
        new(1003, 1005, "c-1"), waiting(1009, 1011), waiting(1039, 1041, "packing"),
        unpacking_s=None, packing_s=None,
    )  # fmt: skip
    assert found.queue_wait == Stage(4.0, 3.0, 5.0)
    assert found.unpacking == Stage(6.0, 4.0, 8.0)
    assert found.children == Stage(30.0, 28.0, 32.0)
    assert found.packing == Stage(10.0, 9.0, 11.0)


def test_a_stage_that_polls_leave_open_has_bounds_and_no_value() -> None:
    """One poll, after the end: it left the queue between 1000 and 1034 (40 less the unpacking)."""
    found = zip_stages(
        CREATED, ENDED, [StatusChange("done", 1051.0, 1000.0, 1050.0, "c-2", "packing")],
        no_offset, unpacking_s=6.0, packing_s=10.0,
    )  # fmt: skip
    assert found.queue_wait == Stage(None, 0.0, 34.0)
    assert found.children == Stage(None, 0.0, 34.0)
    assert found.unpacking == Stage(6.0, 6.0, 6.0)
    assert found.packing == Stage(10.0, 10.0, 10.0)


def test_a_consumer_that_died_while_it_unpacked_is_interrupted_work() -> None:
    """A poll at 1002 saw it taken; who unpacked it for 6 s until 1010 began at 1004."""
    found = stages(new(1000, 1002, "c-1"), waiting(1009.5, 1010.5))
    assert found.queue_wait == Stage(1.0, 0.0, 2.0)
    assert found.interrupted == Stage(3.0, 1.5, 4.5) or found.interrupted == Stage(None, 1.5, 4.5)
    assert found.unpacking == Stage(6.0, 6.0, 6.0)


def test_a_zip_that_was_taken_up_anew_waited_until_the_first_time() -> None:
    """Redis lost its writes: it was `waiting` at 1006, and `new` again at 1008."""
    found = stages(
        new(1000, 1002, "c-1"), waiting(1003, 1006), new(1007, 1008, "c-1"), waiting(1029, 1031),
    )  # fmt: skip
    assert found.queue_wait == Stage(1.0, 0.0, 2.0)
    assert found.children is not None
    assert (found.children.low, found.children.high) == (9.0, 11.0)


def test_a_zip_that_failed_while_it_was_unpacked_has_no_further_stages() -> None:
    failed = StatusChange("failed", 1051.0, 1049.0, 1050.0, "c-1", "unpacking")
    found = zip_stages(
        CREATED, ENDED, [new(1000, 1001), new(1003, 1005, "c-1"), failed], no_offset,
        unpacking_s=None, packing_s=None,
    )  # fmt: skip
    assert found == ZipStages(Stage(4.0, 3.0, 5.0), None, Stage(46.0, 45.0, 47.0), None, None)


def test_an_older_ledger_has_statuses_alone() -> None:
    """What it saw at 1009 was `new`, taken or not; at 1045 `waiting`, packed or not."""
    older = [
        StatusChange("new", 1001.0, 1000.0, None, ""),
        StatusChange("waiting", 1011.0, 1009.0, None, "c-1"),
        StatusChange("done", 1051.0, 1045.0, 1050.0, "c-2"),
    ]
    found = zip_stages(CREATED, ENDED, older, no_offset, unpacking_s=6.0, packing_s=10.0)
    assert found.queue_wait == Stage(4.0, 3.0, 5.0)
    assert found.packing == Stage(10.0, 10.0, 10.0)
    bare = zip_stages(CREATED, ENDED, older, no_offset, unpacking_s=None, packing_s=None)
    assert bare.packing is not None
    assert (bare.packing.low, bare.packing.high) == (0.0, 41.0)


def test_of_a_zip_without_children_polls_do_not_show_when_it_is_packed() -> None:
    last = StatusChange("done", 1051.0, 1045.0, 1050.0, "c-2", "children")
    seen = [new(1003, 1005, "c-1"), waiting(1009, 1011), last]
    found = zip_stages(CREATED, ENDED, seen, no_offset, unpacking_s=6.0, packing_s=10.0)
    assert found.children == Stage(30.0, 29.0, 31.0)


def test_nothing_is_made_up_where_no_poll_is_known_of() -> None:
    found = zip_stages(CREATED, ENDED, (), no_offset, unpacking_s=6.0, packing_s=None)
    assert found == ZipStages(unpacking=Stage(6.0, 6.0, 6.0))


def test_a_measurement_that_polls_exclude_is_left_out() -> None:
    """It was seen new at 1008 and unpacked at 1011: no 20 s of unpacking lie before that."""
    found = stages(new(1008, 1009, "c-1"), waiting(1010, 1011), unpacking_s=20.0)
    assert found.unpacking is not None
    assert (found.unpacking.low, found.unpacking.high) == (1.0, 3.0)


@pytest.mark.parametrize("late_s", [0.0, 0.5, 2.0])
def test_the_error_of_creation_and_end_is_in_the_stages(late_s: float) -> None:
    created = Moment(1000.0, 1000.0 - late_s, 1000.0 + late_s)
    ended = Moment(1050.0, 1050.0 - late_s, 1050.0 + late_s)
    found = stages(new(1003, 1005, "c-1"), waiting(1009, 1011), created=created, ended=ended)
    assert found.queue_wait is not None
    assert (found.queue_wait.low, found.queue_wait.high) == (3.0 - late_s, 5.0 + late_s)
    assert found.children is not None
    assert (found.children.low, found.children.high) == (29.0 - late_s, 31.0 + late_s)
