"""Jobs that rest wake together, not much later than they were to."""

from __future__ import annotations

import random

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.poll_timer import TOGETHER, WIDEST_S, Rests
from tests.helpers.clocks import ManualClock


@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.3, 2.0, 10.0, 3600.0])
def test_a_rest_is_never_shorter_and_at_most_a_fiftieth_or_25_ms_longer(seconds: float) -> None:
    rng = random.Random(5)
    for _ in range(1000):
        rests = Rests(ManualClock(1e9 + rng.random() * 100))
        longer_s = rests.stretched_s(seconds) - seconds
        assert 0 <= longer_s <= min(WIDEST_S, 0.02 * seconds) + 1e-6


def test_jobs_that_rest_alike_wake_at_a_few_moments() -> None:
    rng = random.Random(7)
    wakes = set()
    for _ in range(1000):
        now = 1e9 + rng.random()
        wakes.add(round(now + Rests(ManualClock(now)).stretched_s(2.0), 6))
    assert len(wakes) <= 1 / WIDEST_S + 1


def test_the_more_jobs_rest_the_closer_those_moments_lie() -> None:
    clock, rng = SystemClock(), random.Random(9)
    rests, alarm = Rests(clock), Event()
    resting = [gevent.spawn(rests.rest, alarm, 10.0) for _ in range(5_000)]
    gevent.sleep(0)
    longest_s = max(rests.stretched_s(s) - s for s in (9 + rng.random() for _ in range(1000)))
    alarm.set()
    gevent.joinall(resting)
    assert 0 < longest_s <= TOGETHER * 10.0 / 5_000


def test_an_alarm_ends_a_rest() -> None:
    rests, alarm = Rests(SystemClock()), Event()
    resting = gevent.spawn(rests.rest, alarm, 60.0)
    gevent.sleep(0)
    alarm.set()
    resting.join(timeout=5)
    assert resting.dead
