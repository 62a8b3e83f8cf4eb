from __future__ import annotations

import random

from kiosk_locust.measurement.clocks import Offset, Sample
from kiosk_locust.measurement.sampling import Gathered

AHEAD_S = 3.0


def watched(count: int, seed: int = 1, every_s: float = 0.1) -> list[Sample]:
    """Stamps of a clock that is 3 s ahead, each known to a second or so."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        true = 1000 + number * every_s
        made.append(Sample(true + AHEAD_S, true - rng.random(), true + rng.random()))
    return made


def gathered(samples: list[Sample], most_windows: int = 100_000) -> Gathered:
    found = Gathered(most_windows)
    for sample in samples:
        found.add("a", sample)
    return found


def test_thinned_samples_bound_an_offset_as_all_do_but_for_the_drift_in_a_window() -> None:
    samples = watched(5000)
    thin, whole = gathered(samples).offsets()["a"], Offset(samples)
    assert len(thin) < 1100
    for moment in (1000.0, 1250.0, 1499.0):
        one, all_ = thin.at(moment), whole.at(moment)
        assert one is not None
        assert all_ is not None
        assert one.low_s <= AHEAD_S <= one.high_s
        assert abs(one.low_s - all_.low_s) < 3e-4
        assert abs(one.high_s - all_.high_s) < 3e-4


def test_however_many_samples_there_are_few_are_kept() -> None:
    found = gathered(watched(20_000), most_windows=50)
    thin = found.offsets()["a"]
    assert (found.count("a"), len(thin) <= 100) == (20_000, True)
    bound = thin.at(2000.0)
    assert bound is not None
    assert bound.low_s <= AHEAD_S <= bound.high_s
    assert bound.error_s < 0.1


def test_a_step_is_seen_in_what_is_kept() -> None:
    before = watched(500)
    after = [Sample(s.stamp + 70, s.after + 60, s.before + 60) for s in watched(500, seed=2)]
    (step,) = gathered([*before, *after], most_windows=20).offsets()["a"].steps()
    assert 1049 < step < 1062


def test_more_clocks_than_windows_are_all_kept() -> None:
    found = Gathered(most_windows=10)
    for number in range(100):
        found.add(f"consumer-{number}", Sample(1003.0, 999.0, 1001.0))
    assert len(found.offsets()) == 100
