"""The plateau where rates are known: by hand, or by simulation with a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from kiosk_locust.measurement.plateau import Plateau, bins, change_points, plateau
from tests.measurement.tracks import binned, poisson, workers

RUNS = 40


def found(ends: Sequence[float], **given: object) -> Plateau:
    return plateau([binned(ends, **given)])  # type: ignore[arg-type]


def evenly(start: float, seconds: float, rate: float) -> list[float]:
    """So many ends a second after ``start``, at equal distances; none on an edge of a bin."""
    return [start + (n + 0.5) / rate for n in range(round(seconds * rate))]


def test_completions_at_one_rate_are_one_plateau_of_that_rate() -> None:
    one = found([0.0, *evenly(0.0, 100.0, 4.0), 100.0], is_waiting=True)
    assert (one.kind, one.from_at, one.to_at, one.jobs) == ("saturated", 0.0, 100.0, 402)
    assert one.images_per_s == pytest.approx(4.01)
    assert one.jobs_per_s == pytest.approx(4.01)


def test_a_step_has_no_plateau_over_it_and_no_mean_of_the_two_rates() -> None:
    """7/s with one node for 40 s, then 21/s with three for 40 s: never 14/s or 15.8/s."""
    one = found([0.0, *evenly(0.0, 40.0, 7.0), *evenly(40.0, 40.0, 21.0)])
    assert one.images_per_s == pytest.approx(7.0, rel=0.02) or one.images_per_s == pytest.approx(
        21.0, rel=0.02
    )
    assert one.from_at is not None
    assert one.to_at is not None
    assert one.to_at < 41.0 or one.from_at > 39.0
    assert "the rate rose from 7 to 21 images/s" in one.text


def test_where_both_rates_lasted_too_short_there_is_none_and_what_the_rate_did_is_told() -> None:
    one = found([0.0, *evenly(0.0, 40.0, 7.0), *evenly(40.0, 40.0, 21.0)], processing_s=3.0)
    assert (one.kind, one.images_per_s, one.jobs_per_s, one.jobs) == ("none", None, None, None)
    assert one.text.startswith("no plateau: the rate rose from 7 to 21 images/s; ")
    assert "20 median processing times are 60.0 s" in one.text


def test_99_completions_are_too_few_and_100_are_enough() -> None:
    few = found(evenly(0.0, 99.0, 1.0))
    assert few.text == "no plateau: 99 jobs completed, 100 are needed"
    assert found(evenly(0.0, 100.0, 1.0)).images_per_s == pytest.approx(1.0)
    assert plateau([]).kind == "none"


def test_a_quarter_of_the_makespan_is_needed() -> None:
    ends = [0.0, *evenly(0.0, 100.0, 4.0), 100.0]
    assert found(ends, makespan_s=400.0).kind != "none"
    assert "25% of the makespan" in found(ends, makespan_s=404.0).text


def test_without_a_processing_time_nobody_can_tell() -> None:
    assert "no processing time is known" in found(evenly(0.0, 200.0, 4.0), processing_s=None).text


def test_a_plateau_is_offered_where_no_work_waited_at_more_than_a_twentieth_of_it() -> None:
    track = binned(evenly(0.0, 200.0, 4.0), is_waiting=True)
    assert plateau([track]).kind == "saturated"
    waiting = list(track.waiting)  # 4,000 moments
    waiting[-200:] = [0] * 200
    assert plateau([replace(track, waiting=waiting)]).kind == "saturated"
    waiting[1000] = 0
    offered = plateau([replace(track, waiting=waiting)])
    assert offered.kind == "offered"
    assert "the rate at which jobs arrived" in offered.text
    assert found(evenly(0.0, 200.0, 4.0)).kind == "unknown"


def test_images_count_and_not_jobs_where_jobs_bring_several() -> None:
    ends = evenly(0.0, 200.0, 2.0)
    one = found(ends, images=[50] * len(ends))
    assert one.jobs_per_s == pytest.approx(2.0)
    assert one.images_per_s == pytest.approx(100.0)


def test_no_stretch_reaches_from_one_track_into_another() -> None:
    """What lies between them, an interruption, is in no rate."""
    before, after = evenly(0.0, 60.0, 4.0), evenly(90.0, 100.0, 4.0)
    one = plateau([binned(before, makespan_s=190.0), binned(after, makespan_s=190.0)])
    assert (one.from_at, one.to_at) == (90.125, 189.875)
    assert one.images_per_s == pytest.approx(4.0)


def test_a_slow_start_and_a_slow_end_are_no_part_of_it() -> None:
    ends = [0.0, *evenly(0.0, 50.0, 1.0), *evenly(50.0, 100.0, 20.0), *evenly(150.0, 30.0, 1.0)]
    one = found(ends)
    assert one.images_per_s == pytest.approx(20.0, rel=0.03)
    assert "the rate varied between 1" in one.text


@pytest.mark.parametrize("count", [150, 500, 3_000])
@pytest.mark.parametrize("spread", [None, 0.0, 0.5])
def test_stationary_completions_have_a_plateau_in_nine_of_ten_runs(
    count: int, spread: float | None
) -> None:
    rng = random.Random(count)
    hits = 0
    for _ in range(RUNS):
        spans = [(count / 5, 5)]
        ends = poisson(spans, rng) if spread is None else workers(spans, spread, rng)
        one = found(ends, processing_s=0.01)
        if one.images_per_s is not None:
            hits += 1
            assert one.images_per_s == pytest.approx(5.0, rel=0.3)
    assert hits >= 0.9 * RUNS


@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("spread", [None, 0.3])
def test_no_plateau_reaches_over_a_step_from_one_node_to_three(
    share: float, spread: float | None
) -> None:
    rng = random.Random(7)
    for _ in range(RUNS):
        spans = [(150 * share, 7), (150 * (1 - share), 21)]
        ends = poisson(spans, rng) if spread is None else workers(spans, spread, rng)
        one = found(ends, processing_s=0.01)
        assert one.from_at is not None
        assert one.to_at is not None
        beyond = min(max(0.0, 150 * share - one.from_at), max(0.0, one.to_at - 150 * share))
        assert beyond <= 0.05 * (one.to_at - one.from_at)


def test_false_alarms_are_as_rare_as_the_test_says() -> None:
    rng = random.Random(3)
    runs = 300
    alarms = sum(
        bool(change_points(binned(poisson([(400, 2.0)], rng)).images, 0.25)) for _ in range(runs)
    )
    assert alarms / runs <= 0.08  # 5 %, and 2.4 standard deviations


def test_a_change_that_is_seen_between_two_others_is_placed_by_its_neighbours() -> None:
    counts = [2.0] * 60 + [10.0] * 60 + [2.0] * 60
    assert change_points(counts) == [60, 120]
    assert change_points([5.0] * 200) == []
    assert change_points([]) == []


def test_there_are_at_most_200_bins() -> None:
    assert (bins(0), bins(1), bins(100), bins(399), bins(400), bins(10**6)) == (
        1,
        1,
        50,
        199,
        200,
        200,
    )
