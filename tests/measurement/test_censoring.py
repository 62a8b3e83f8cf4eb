from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.censoring import percentile, survival
from kiosk_locust.measurement.percentiles import rank
from tests.measurement.queues import moments

TIMES = st.lists(st.integers(0, 12).map(float), max_size=25)


def textbook(ended: list[float], unended: list[float]) -> list[tuple[float, Fraction]]:
    """The product-limit formula as it stands in books, in exact numbers."""
    steps, share = [], Fraction(1)
    for time in sorted(set(ended)):
        at_risk = sum(t >= time for t in ended + unended)
        share *= 1 - Fraction(ended.count(time), at_risk)
        steps.append((time, share))
    return steps


def test_a_hand_worked_example() -> None:
    # 6 jobs: ended at 1, 3, 4 s; cut off at 2, 3 (after the end at 3), 5 s.
    # S(1) = 5/6; at 3 four are at risk: 5/6 * 3/4 = 5/8; at 4 two: 5/8 * 1/2 = 5/16.
    steps = list(survival([1.0, 3.0, 4.0], [2.0, 3.0, 5.0]))
    assert [time for time, _ in steps] == [1.0, 3.0, 4.0]
    assert [share for _, share in steps] == pytest.approx([5 / 6, 5 / 8, 5 / 16], rel=1e-12)


def test_the_remission_times_of_freireich_come_to_the_published_curve() -> None:
    # Acute leukaemia, 6-MP arm, in weeks (Freireich et al. 1963; Cox and Oakes 1984, table 1.1).
    ended = [6.0, 6, 6, 7, 10, 13, 16, 22, 23]
    unended = [6.0, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    published = [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]
    found = [share for _, share in survival(ended, unended)]
    assert found == pytest.approx(published, abs=0.0006)
    assert percentile(ended, unended, 50).kaplan_meier_s == 23.0
    assert percentile(ended, unended, 60).kaplan_meier_s is None


@given(TIMES, TIMES)
def test_it_is_the_formula_of_the_books(ended: list[float], unended: list[float]) -> None:
    found = list(survival(sorted(ended), sorted(unended)))
    expected = textbook(ended, unended)
    assert [time for time, _ in found] == [time for time, _ in expected]
    assert [s for _, s in found] == pytest.approx([float(s) for _, s in expected], abs=1e-12)


@given(TIMES.filter(bool), st.sampled_from([1, 50, 90, 95, 99, 99.9]))
def test_with_all_jobs_ended_every_figure_is_the_nearest_rank(
    ended: list[float], percent: float
) -> None:
    expected = float(np.percentile(np.array(ended), percent, method="inverted_cdf"))
    found = percentile(ended, [], percent)
    assert found.ended_only_s == found.least_s == found.counted_s == expected
    assert found.kaplan_meier_s == expected


@given(TIMES, TIMES, st.sampled_from([50, 90, 95, 99]))
def test_the_certain_bound_holds_however_the_unended_would_have_ended(
    ended: list[float], unended: list[float], percent: float
) -> None:
    found = percentile(ended, unended, percent)
    if found.least_s is None:
        assert not ended
        assert not unended
        return
    for more in (0.0, 3.0, 1e6):
        true = sorted(ended + [age + more for age in unended])
        assert found.least_s <= true[rank(len(true), percent) - 1]


def test_jobs_that_did_not_end_count_as_infinite_for_a_threshold() -> None:
    found = percentile([1.0] * 94, [50.0] * 6, 95)
    figure = found.figure()
    assert found.counted_s is None
    assert (figure.value, figure.is_least) == (50.0, True)
    assert figure.why == "6 of 100 jobs did not end; of the ended ones: 1 s"
    assert percentile([1.0] * 95, [50.0] * 5, 95).figure().value == 1.0


def test_of_no_job_there_is_no_figure() -> None:
    assert percentile([], [], 95).figure().value is None


def test_where_none_ended_the_oldest_age_is_the_bound() -> None:
    figure = percentile([], [3.0, 7.0], 99).figure()
    assert (figure.value, figure.is_least) == (7.0, True)


def test_a_run_cut_in_mid_overload_hides_it_from_the_ended_jobs_and_from_kaplan_meier() -> None:
    # 430 jobs at 1.5 a second for a server that does 1; cut at the last submission.
    came, ended_at = moments(430, 1.5, 1, random.Random(2))
    cut_at = came[-1]
    pairs = list(zip(came, ended_at, strict=True))
    ended = [end - start for start, end in pairs if end <= cut_at]
    unended = [cut_at - start for start, end in pairs if end > cut_at]
    true = sorted(end - start for start, end in pairs)[rank(430, 95) - 1]
    found = percentile(ended, unended, 95)
    assert found.ended_only_s is not None
    assert found.kaplan_meier_s is not None
    assert true > 1.25 * found.ended_only_s
    assert true > 1.2 * found.kaplan_meier_s  # the jobs cut off are just the long ones
    assert found.figure().is_least


def test_jobs_lost_by_chance_are_what_kaplan_meier_is_for() -> None:
    rng = random.Random(5)
    times = [rng.expovariate(1 / 60) for _ in range(20_000)]
    lost = [rng.expovariate(1 / 120) for _ in times]  # forgotten, whatever the job was doing
    ended = [t for t, c in zip(times, lost, strict=True) if t <= c]
    unended = [c for t, c in zip(times, lost, strict=True) if t > c]
    true = sorted(times)[rank(len(times), 95) - 1]
    found = percentile(ended, unended, 95)
    assert found.kaplan_meier_s == pytest.approx(true, rel=0.05)
    assert found.ended_only_s is not None
    assert found.ended_only_s < 0.75 * true
