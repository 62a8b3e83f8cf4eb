from __future__ import annotations

import math
import random
from collections.abc import Sequence

from kiosk_locust.measurement.estimates import MeasuredFigure
from kiosk_locust.measurement.latency import Latency, Lives
from kiosk_locust.measurement.steady_state import Regime, Stay, flow, judged

BATCH = judged([flow([Stay(5.0, 6.0 + n) for n in range(20)], 5.0, 5.0, 25.0)])
STEADY = judged([flow([Stay(n * 0.1, n * 0.1 + 2.0) for n in range(2000)], 20.0, 199.0, 202.0)])


def spans(count: int, seed: int, mean_s: float = 1.0) -> list[float]:
    rng = random.Random(seed)
    return [rng.expovariate(1 / mean_s) for _ in range(count)]


def figure(
    cycles: Sequence[Sequence[float]], percent: float, regime: Regime | None, *ages: float
) -> MeasuredFigure:
    """The percentile of cycles' durations; jobs of ``ages`` did not end, in each cycle."""
    lives = [Lives([*cycle, *(math.inf for _ in ages)], ages) for cycle in cycles]
    return Latency(lives).figure(percent, regime)


def test_a_long_steady_run_of_independent_jobs_has_an_interval_from_batches() -> None:
    found = figure([spans(5000, 1)], 95, STEADY)
    assert found.value is not None
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high


def test_a_short_run_is_within_this_run_only() -> None:
    found = figure([spans(50, 1)], 95, STEADY)
    assert found.interval is None
    assert found.why.startswith("within this run only: ")


def test_a_batch_has_no_interval_and_a_warning() -> None:
    found = figure([spans(5000, 1)], 95, BATCH)
    assert found.interval is None
    assert found.why.startswith("a batch run, where latency grows with COUNT")


def test_six_cycles_are_replicates_even_of_a_batch() -> None:
    found = figure([spans(100, seed) for seed in range(6)], 95, BATCH)
    each = sorted(sorted(spans(100, seed))[94] for seed in range(6))
    assert found.value == (each[2] + each[3]) / 2
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (each[0], each[5])


def test_cycles_of_which_most_did_not_end_give_a_least_value() -> None:
    found = figure([spans(100, seed) for seed in range(6)], 95, STEADY, *[9.0] * 20)
    assert (found.is_least, found.value) == (True, 9.0)


def test_jobs_that_did_not_end_count_as_infinite() -> None:
    found = figure([spans(100, 1)], 95, STEADY, *[0.5] * 10)
    assert found.is_least


def test_a_maximum_has_no_interval() -> None:
    found = figure([spans(5000, 1)], 100, STEADY)
    assert found.value == max(spans(5000, 1))
    assert found.interval is None


def test_no_jobs_have_no_figure() -> None:
    assert figure([], 95, None).value is None
