from __future__ import annotations

import random

import pytest

from kiosk_locust.client.retry import poll_interval_s

#: The paper's largest run: a million images on eight GPUs.
LONGEST_S = 5.5 * 3600


def polls(ended_s: float, first_s: float, backoff: float) -> list[float]:
    """The ages (s) at which a job that ends at ``ended_s`` is polled, until its end is seen."""
    ages = [first_s]
    while ages[-1] < ended_s:
        ages.append(ages[-1] + poll_interval_s(ages[-1], 10, backoff))
    return ages


def test_a_job_of_five_and_a_half_hours_is_polled_at_most_120_times_with_a_backoff() -> None:
    rng = random.Random(0)
    most = max(len(polls(LONGEST_S, rng.uniform(0, 10), 0.05)) for _ in range(1000))
    assert most <= 120
    assert len(polls(LONGEST_S, 0, 0)) == 1981  # without one


@pytest.mark.parametrize("ended_s", [0.5, 60, 199, 201, 3600, LONGEST_S, 48 * 3600])
def test_an_end_is_seen_within_the_interval_or_a_twentieth_of_the_jobs_age(ended_s: float) -> None:
    rng = random.Random(1)
    for _ in range(200):
        seen_s = polls(ended_s, rng.uniform(0, 10), 0.05)[-1]
        assert seen_s - ended_s <= max(10, 0.05 * ended_s)


def test_short_jobs_are_polled_as_if_there_were_no_backoff() -> None:
    assert polls(190, 3, 0.05) == polls(190, 3, 0)
