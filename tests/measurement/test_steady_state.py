from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest

from kiosk_locust.measurement.steady_state import Flow, Regime, Stay, flow, judged
from tests.measurement.queues import moments


def classify(stays: Iterable[Stay], start_at: float, end_at: float, until: float) -> Regime:
    """The regime of a run of one cycle."""
    return judged([flow(stays, start_at, end_at, until)])


def run(count: int, rate: float, servers: int, seed: int) -> tuple[list[Stay], Regime]:
    came, ended = moments(count, rate, servers, random.Random(seed))
    stays = [Stay(a, e) for a, e in zip(came, ended, strict=True)]
    # The first tenth is warm-up: it fills the empty system.
    return stays, classify(stays, came[count // 10], came[-1], max(ended))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_a_queue_that_keeps_up_is_steady(load: float, seed: int) -> None:
    _, found = run(2000, load * 4, 4, seed)
    assert found.kind == "steady", found.why


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("load", [1.2, 1.5, 3.0])
def test_a_queue_that_grows_is_a_batch(load: float, seed: int) -> None:
    _, found = run(2000, load * 4, 4, seed)
    assert found.kind == "batch"
    assert "piled up" in found.why


def test_the_share_that_piles_up_is_told() -> None:
    _, found = run(3000, 6.0, 4, 1)
    assert found.growth == pytest.approx(1 - 1 / 1.5, abs=0.05)  # a third is left over


def test_the_figures_are_those_of_the_path_sampled_finely() -> None:
    stays, found = run(300, 3.0, 4, 7)
    came = sorted(stay.submitted_at for stay in stays)
    start, end = came[30], came[-1]
    times = np.linspace(start, end, 200_001)
    begun = np.searchsorted(np.array(came), times, side="right")
    gone = np.searchsorted(np.array(sorted(s.ended_at or 0.0 for s in stays)), times, side="right")
    inside = begun - gone
    slope = np.polyfit(times, inside, 1)[0]
    assert found.in_system == pytest.approx(float(inside.mean()), rel=1e-3)
    assert found.arrivals_per_s is not None
    assert found.growth == pytest.approx(slope / found.arrivals_per_s, abs=1e-4)


def test_all_at_once_is_a_batch() -> None:
    found = classify([Stay(5.0, 6.0 + n) for n in range(20)], 5.0, 5.0, 30.0)
    assert (found.kind, found.why) == ("batch", "all jobs were submitted at once")


def test_a_run_no_longer_than_its_jobs_is_a_batch() -> None:
    stays = [Stay(float(n), n + 60.0) for n in range(100)]
    assert classify(stays, 0.0, 99.0, 160.0).kind == "batch"


def test_jobs_of_equal_length_that_overlap_evenly_are_steady() -> None:
    stays = [Stay(n * 0.1, n * 0.1 + 2.0) for n in range(2000)]
    found = classify(stays, 20.0, 199.0, 202.0)
    assert found.kind == "steady"
    assert found.in_system == pytest.approx(20.0, rel=0.01)
    assert (found.stay_s, found.arrivals_per_s) == pytest.approx((2.0, 10.0), rel=0.001)


def test_n_arrivals_have_one_gap_less() -> None:
    stays = [Stay(n * 0.2, n * 0.2 + 1.0) for n in range(80)]
    assert classify(stays, 0.0, 79 * 0.2, 17.0).arrivals_per_s == pytest.approx(5.0)


def test_cycles_have_their_gaps_each() -> None:
    stays = [Stay(n * 0.2, n * 0.2 + 1.0) for n in range(80)]
    later = [Stay(stay.submitted_at + 1000, (stay.ended_at or 0) + 1000) for stay in stays]
    both = [flow(stays, 0.0, 79 * 0.2, 17.0), flow(later, 1000.0, 1000 + 79 * 0.2, 1017.0)]
    assert judged(both).arrivals_per_s == pytest.approx(5.0)


def test_a_job_that_did_not_end_stays_until_the_run_was_over() -> None:
    found = classify([Stay(0.0, None)] * 20, 0.0, 10.0, 30.0)
    assert (found.in_system, found.stay_s) == (20.0, 30.0)


@pytest.mark.parametrize("count", [0, 1, 19])
def test_so_few_jobs_are_neither_a_batch_nor_steady(count: int) -> None:
    found = classify([Stay(float(n), n + 60.0) for n in range(count)], 0.0, 20.0, 80.0)
    assert found.kind == "unknown"
    assert "lambda" not in found.why
    assert "20 are needed" in found.why


def test_without_jobs_there_are_no_figures() -> None:
    assert classify([], 0.0, 10.0, 10.0).arrivals_per_s is None


def evenly(start: float, stay_s: float = 2.0, growing_s: float = 0.0) -> Flow:
    """A cycle of 200 jobs at 10 a second, each ``growing_s`` longer than the one before."""
    stays = [Stay(start + n * 0.1, start + n * 0.1 + stay_s + n * growing_s) for n in range(200)]
    return flow(stays, start + 2.05, start + 19.95, start + 60.0)


def test_cycles_are_taken_together_so_one_that_is_odd_makes_no_batch_of_many() -> None:
    odd = evenly(0.0, growing_s=0.03)
    assert judged([odd]).kind == "batch"
    even = [evenly(100.0 * n) for n in range(1, 30)]
    found = judged([odd, *even])
    assert found.kind == "steady", found.why
    assert found.why.startswith("over 30 cycles, ")
    assert found.arrivals_per_s == pytest.approx(10.0, rel=0.01)


def test_cycles_that_all_pile_up_are_a_batch_by_as_much_as_one_of_them() -> None:
    one = judged([evenly(0.0, growing_s=0.03)])
    many = judged([evenly(100.0 * n, growing_s=0.03) for n in range(8)])
    assert many.kind == "batch"
    assert many.growth == pytest.approx(one.growth)
    assert many.stay_s == pytest.approx(one.stay_s)


def test_a_cycle_of_one_job_says_nothing_beside_others() -> None:
    alone = flow([Stay(500.0, 501.0)], 500.0, 500.0, 501.0)
    assert judged([alone]).kind == "unknown"
    assert judged([alone, evenly(0.0)]).kind == "steady"
