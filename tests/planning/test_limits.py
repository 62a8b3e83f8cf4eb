from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.planning.limits import limits
from kiosk_locust.planning.plan import ForecastPlan
from kiosk_locust.planning.simulation import run
from tests.planning.plans import IMAGE_S, images, zips


@pytest.mark.parametrize(
    ("plan", "part", "seconds"),
    [
        (images(100), "GPU nodes", 100 * IMAGE_S),
        (images(100, delay_s=9.0), "submission", 99 * 9.0),
        (images(10, min_nodes=0, node_startup_s=300.0), "start of GPU nodes", 300.0),
        (zips(20, of=10, zip_consumers=2, jobs_per_gpu=100), "ZIP consumers", 50.0),
        (zips(1, of=4, jobs_per_gpu=4), "one job alone", 9.0),
    ],
)
def test_the_part_that_alone_takes_longest_is_the_first(
    plan: ForecastPlan, part: str, seconds: float
) -> None:
    first = limits(plan)[0]
    assert first.part == part
    assert first.seconds == pytest.approx(seconds)


@settings(max_examples=40)
@given(
    st.integers(1, 15),
    st.integers(1, 8),
    st.floats(0, 20),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 1),
)
def test_without_chance_nothing_is_faster_than_its_slowest_part(
    jobs: int, of: int, delay_s: float, gpus: int, consumers: int, warm: int
) -> None:
    plan = zips(
        jobs, of, delay_s=delay_s, max_nodes=gpus, zip_consumers=consumers, min_nodes=warm,
        jobs_per_gpu=2,
    )  # fmt: skip
    assert run(plan).makespan_s >= max(each.seconds for each in limits(plan)) - 1e-6
