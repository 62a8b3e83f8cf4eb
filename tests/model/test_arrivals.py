"""Due times, against independent arithmetic."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.model.arrivals import offsets, tickets
from kiosk_locust.model.options import Options, Ramp
from tests.helpers.scenarios import make_options


def due(options: Options, cycle: int = 1, at_most: int = 10_000) -> list[float]:
    return [o for o in itertools.islice(offsets(options, cycle), at_most) if o is not None]


def test_ticket_i_is_due_i_start_delays_after_the_start_even_after_a_million() -> None:
    options = make_options(count=1_000_001, users=1_000_001, start_delay_s=0.1)
    last = next(itertools.islice(offsets(options, 1), 1_000_000, None))
    assert last == pytest.approx(float(Fraction(1, 10) * 1_000_000), abs=1e-6)


def test_a_start_delay_of_zero_makes_all_due_at_once() -> None:
    assert due(make_options(count=5, users=5, start_delay_s=0)) == [0, 0, 0, 0, 0]


def test_poisson_gaps_have_the_mean_wanted_and_the_spread_of_an_exponential() -> None:
    options = make_options(count=10_000, users=10_000, start_delay_s=0.5, arrival="poisson")
    times = due(options)
    gaps = [b - a for a, b in itertools.pairwise([0.0, *times])]
    assert statistics.fmean(gaps) == pytest.approx(0.5, rel=0.05)
    assert statistics.pstdev(gaps) == pytest.approx(0.5, rel=0.05)


def test_poisson_arrivals_repeat_with_the_seed_and_differ_between_cycles_and_seeds() -> None:
    options = make_options(count=20, users=20, arrival="poisson")
    assert due(options) == due(options)
    assert due(options, cycle=2) != due(options)
    assert due(replace(options, arrival_seed=2)) != due(options)


def test_a_trace_is_repeated_in_each_cycle() -> None:
    options = make_options(count=3, users=3, arrival="trace", arrival_offsets_s=(0.0, 0.5, 4.0))
    assert due(options, cycle=1) == due(options, cycle=2) == [0.0, 0.5, 4.0]


@given(
    st.floats(0, 50),
    st.floats(0.1, 50),
    st.floats(0.1, 100),
    st.integers(min_value=1, max_value=300),
)
def test_by_each_due_time_of_a_ramp_the_integral_of_its_rate_is_the_jobs_number(
    from_rate: float, to_rate: float, seconds: float, count: int
) -> None:
    ramp = Ramp(from_rate, to_rate, seconds)
    options = make_options(count=count, users=count, arrival="ramp", ramp=ramp)
    for number, time in enumerate(due(options)):
        inside = min(time, seconds)
        rate_then = from_rate + (to_rate - from_rate) * inside / seconds
        integral = (from_rate + rate_then) / 2 * inside + to_rate * max(0.0, time - seconds)
        assert integral == pytest.approx(number, rel=1e-6, abs=1e-6)


def test_a_closed_workload_promises_times_for_the_first_round_only() -> None:
    options = make_options(count=5, users=2, workload="closed", start_delay_s=0.5)
    assert list(offsets(options, 1)) == [0.0, 0.5, None, None, None]


def test_an_open_ended_plan_never_runs_out() -> None:
    options = make_options(count=0, users=10)
    assert len(due(options, at_most=5_000)) == 5_000


def test_tickets_are_numbered_from_zero_in_each_cycle_and_have_ids_of_their_own() -> None:
    options = make_options(count=3, users=3, num_cycles=2, start_delay_s=1)
    first, second = list(tickets(options, 1, 100.0)), list(tickets(options, 2, 200.0))
    assert [t.number for t in first] == [t.number for t in second] == [0, 1, 2]
    assert [t.id for t in first + second] == [0, 1, 2, 3, 4, 5]
    assert [t.due_at for t in second] == [200.0, 201.0, 202.0]
