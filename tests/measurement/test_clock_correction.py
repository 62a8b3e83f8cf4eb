from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.clock_correction import correct
from kiosk_locust.measurement.clocks import Bound


@dataclass(frozen=True)
class Known:
    """A clock's true offset, and the bound that is known of it."""

    offset_s: float
    bound: Bound


OFFSETS = st.builds(
    lambda offset, below, above: Known(offset, Bound(offset - below, offset + above)),
    st.floats(-100, 100),
    st.floats(0, 5),
    st.floats(0, 5),
)


@given(st.floats(0, 1000), OFFSETS, OFFSETS, st.floats(0, 10))
def test_the_true_duration_lies_within_the_bounds(
    true_s: float, frontend: Known, consumer: Known, slack_s: float
) -> None:
    found = correct(
        5000 + frontend.offset_s,
        5000 + true_s + consumer.offset_s,
        frontend=frontend.bound,
        consumer=consumer.bound,
        watched_s=true_s + slack_s,
    )
    assert found.low_s - 1e-6 <= true_s <= found.high_s + 1e-6
    if found.duration_s is not None:
        assert abs(found.duration_s - true_s) <= found.error_s + 1e-6


def test_clocks_that_agree_leave_the_stamps_as_they_are() -> None:
    near = Bound(-0.01, 0.01)
    found = correct(100.0, 105.0, frontend=near, consumer=near, watched_s=6.0)
    assert (found.duration_s, found.is_corrected, found.flaw) == (5.0, False, "")
    assert math.isclose(found.error_s, 0.02)


def test_a_consumer_that_is_ahead_is_corrected_and_the_result_says_so() -> None:
    found = correct(
        100.0, 135.0, frontend=Bound(-0.01, 0.01), consumer=Bound(29.9, 30.1), watched_s=7.0
    )
    assert found.is_corrected
    assert math.isclose(found.duration_s or 0, 5.0)
    assert found.flaw == "it took longer, by the Kiosk's clocks, than it was watched"


def test_a_negative_duration_is_flagged_and_set_right_where_the_offsets_are_known() -> None:
    found = correct(
        100.0, 95.0, frontend=Bound(0.0, 0.0), consumer=Bound(-11.0, -9.0), watched_s=20.0
    )
    assert found.flaw == "it ended before it was created, by the Kiosk's clocks"
    assert found.duration_s == 5.0


def test_a_negative_duration_of_unknown_clocks_is_none() -> None:
    found = correct(100.0, 95.0, frontend=None, consumer=None)
    assert found.duration_s is None
    assert found.flaw
    assert math.isinf(found.error_s)


def test_unknown_clocks_leave_the_stamps_with_the_polls_for_a_bound() -> None:
    found = correct(100.0, 105.0, frontend=None, consumer=None, watched_s=8.0)
    assert (found.duration_s, found.low_s, found.high_s) == (5.0, 0.0, 8.0)


def test_bounds_that_contradict_one_another_give_no_duration() -> None:
    found = correct(100.0, 105.0, frontend=Bound(0.0, 0.0), consumer=Bound(0.0, 0.0), watched_s=3.0)
    assert found.duration_s is None
    assert found.flaw
