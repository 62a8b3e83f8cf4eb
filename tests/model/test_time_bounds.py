"""Bounds of a server's stamp on the generator's clock, by numbers worked out by hand."""

from __future__ import annotations

import pytest

from kiosk_locust.model.time_bounds import stamped


def test_bounds_that_miss_one_another_by_a_stamps_resolution_still_bound_the_moment() -> None:
    # The stamp's clock is 0.5 to 0.6 s ahead, so the moment lies from 99.4 to 99.5, and the
    # request that caused it was sent at 99.501.
    moment = stamped(100.0, (0.5, 0.6), after=99.501, before=101.0)
    assert moment.is_stamped
    assert moment.low == pytest.approx(99.501)
    assert moment.high == pytest.approx(99.503)
    assert moment.low <= moment.at <= moment.high


def test_bounds_that_miss_one_another_by_more_say_nothing_of_the_moment() -> None:
    moment = stamped(100.0, (0.5, 0.6), after=99.503, before=101.0)
    assert not moment.is_stamped
    assert (moment.low, moment.high) == (99.503, 101.0)
