from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.formatting import units


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.00042, "0.42 ms"),
        (0.25, "250 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (9.996, "10.0 s"),
        (119.9, "119.9 s"),
        (119.96, "2.0 min"),
        (302.0, "5.0 min"),
        (7196.0, "119.9 min"),
        (7500.0, "2.08 h"),
        (359_000.0, "99.72 h"),
        (3_600_000.0, "1,000 h"),
        (-0.0015, "-1.5 ms"),
    ],
)
def test_a_duration_is_in_the_unit_that_suits_it(value: float | None, text: str) -> None:
    assert units.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0 jobs/s"),
        (12.34, "12.3 jobs/s"),
        (1234.5, "1,234 jobs/s"),
        (0.5, "30 jobs/min"),
        (0.001, "3.6 jobs/h"),
    ],
)
def test_a_rate_is_by_the_minute_or_the_hour_where_it_is_low(
    value: float | None, text: str
) -> None:
    assert units.rate(value, "jobs") == text


@given(st.floats(0, 1e9))
def test_every_duration_has_a_number_and_a_unit(value: float) -> None:
    assert re.fullmatch(r"[\d.,e-]+ (ms|s|min|h)", units.seconds(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "$0.00"),
        (0.0000547, "$0.0000547"),
        (0.00012345, "$0.000123"),
        (0.0999, "$0.0999"),
        (0.994, "$0.994"),
        (0.999, "$1.00"),
        (12.345, "$12.35"),
        (1234.5, "$1,234"),
        (-2.5, "$-2.50"),
    ],
)
def test_dollars_have_three_digits_where_they_are_few(value: float | None, shown: str) -> None:
    assert units.usd(value) == shown
