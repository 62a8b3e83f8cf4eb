"""The worker's clock against the master's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.distributed.clock_skew import measure
from kiosk_locust.distributed.messages import Terms, Welcome

times = st.floats(0, 5)


@given(skew=st.floats(-1e4, 1e4), there=times, work=times, back=times)
def test_the_true_skew_lies_within_the_bound_however_uneven_the_way_is(
    skew: float, there: float, work: float, back: float
) -> None:
    asked = 1000.0
    received = asked + there + skew
    welcome = Welcome("r", 1, asked, received, received + work, 0.0, Terms(), {})
    found = measure(welcome, asked + there + work + back)
    assert abs(found.seconds - skew) <= found.bound_s + 1e-6


def test_an_even_way_shows_the_skew_itself() -> None:
    welcome = Welcome("r", 1, 10.0, 110.5, 111.0, 0.0, Terms(), {})
    found = measure(welcome, 11.5)
    assert found.seconds == pytest.approx(100.0)
    assert found.bound_s == pytest.approx(0.5)
