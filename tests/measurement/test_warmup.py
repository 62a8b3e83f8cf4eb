from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.warmup import Trim, kept, mser5, parse

NOTHING = Trim()


@pytest.mark.parametrize(
    ("text", "trim"),
    [
        ("100 jobs", Trim(jobs=100)),
        ("1 job", Trim(jobs=1)),
        ("100jobs", Trim(jobs=100)),
        ("2min", Trim(time_s=120.0)),
        (" 1.5 h ", Trim(time_s=5400.0)),
        ("90s", Trim(time_s=90.0)),
        ("250 ms", Trim(time_s=0.25)),
        ("", NOTHING),
        ("0", NOTHING),
    ],
)
def test_a_trim_is_a_number_of_jobs_or_a_time(text: str, trim: Trim) -> None:
    assert parse(text) == trim


@pytest.mark.parametrize("text", ["100", "jobs", "-5 s", "1.5 jobs", "2 minutes", "1h30"])
def test_anything_else_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match="100 jobs, 90s, 2min, 1h"):
        parse(text)


DUE = [float(n) for n in range(10)]


@pytest.mark.parametrize(
    ("warmup", "cooldown", "left"),
    [
        (NOTHING, NOTHING, DUE),
        (Trim(jobs=3), NOTHING, DUE[3:]),
        (Trim(time_s=2.5), NOTHING, DUE[3:]),
        (Trim(time_s=3.0), NOTHING, DUE[3:]),
        (NOTHING, Trim(jobs=2), DUE[:8]),
        (NOTHING, Trim(time_s=2.5), DUE[:7]),
        (Trim(jobs=2), Trim(jobs=2), DUE[2:8]),
        (Trim(jobs=10), NOTHING, []),
        (Trim(jobs=6), Trim(jobs=6), []),
    ],
)
def test_the_cut_is_by_due_time(warmup: Trim, cooldown: Trim, left: list[float]) -> None:
    found = kept(DUE, warmup, cooldown)
    assert [moment for moment in DUE if found.has(moment)] == left
    assert found.cut == len(DUE) - len(left)


def test_jobs_due_at_one_moment_are_kept_or_cut_together() -> None:
    assert kept([0.0, 1.0, 1.0, 1.0, 2.0], Trim(jobs=2), NOTHING).cut == 1


def test_a_cycle_without_jobs_has_nothing_to_cut() -> None:
    assert kept([], Trim(jobs=2), NOTHING).cut == 0


def by_hand(values: list[float]) -> int:
    """MSER-5 as its authors define it, with numpy and without a shortcut."""
    batches = np.array(values[: len(values) // 5 * 5]).reshape(-1, 5).mean(1)
    m = len(batches)
    errors = [
        float(((batches[d:] - batches[d:].mean()) ** 2).sum()) / (m - d) ** 2 for d in range(m - 5)
    ]
    return int(np.argmin(errors)) * 5


@given(st.integers(0, 10_000), st.integers(50, 200))
def test_it_is_the_published_statistic(seed: int, count: int) -> None:
    rng = random.Random(seed)
    values = [rng.expovariate(1) + (5 if n < 20 else 0) for n in range(count)]
    expected = by_hand(values)
    assert mser5(values) == (expected if expected <= count // 5 // 2 * 5 else None)


def test_a_cold_start_is_found() -> None:
    rng = random.Random(2)
    cold = [300.0 - 3 * n + rng.gauss(0, 5) for n in range(100)]
    warm = [rng.gauss(10, 5) for _ in range(900)]
    found = mser5(cold + warm)
    assert found is not None
    assert 80 <= found <= 110


def test_a_run_that_never_settles_has_no_suggestion() -> None:
    assert mser5([float(1000 - n) for n in range(500)]) is None


def test_a_handful_of_jobs_has_no_suggestion() -> None:
    assert mser5([1.0] * 49) is None
