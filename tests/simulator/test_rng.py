from __future__ import annotations

import math
import random
import statistics

import pytest

from kiosk_locust.simulator.rng import Purpose, duration, restart, stream


def test_a_stream_started_anew_is_the_stream_of_that_thing() -> None:
    used = random.Random(5)
    used.gauss(0.0, 1.0)  # which keeps a second number for later
    again = restart(used, 7, Purpose.WORK, 3, part=2)
    wanted = stream(7, Purpose.WORK, 3, part=2)
    assert [again.gauss(0, 1) for _ in range(5)] == [wanted.gauss(0, 1) for _ in range(5)]


def test_durations_are_log_normal_around_their_median() -> None:
    rng = stream(1, Purpose.WORK, 1)
    logs = [math.log(duration(rng, 2.0, 0.3)) for _ in range(20_000)]
    assert math.exp(statistics.median(logs)) == pytest.approx(2.0, rel=0.02)
    assert abs(statistics.stdev(logs) - 0.3) < 0.01
