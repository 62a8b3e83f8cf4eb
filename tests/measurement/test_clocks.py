from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.clocks import FRONTEND, Offset, Sample, samples
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.record import Attempt, AttemptResult, Record, StatusChange
from tests.helpers.records import record

Clock = Callable[[float], float]


def watch(
    offset: Clock, rng: random.Random, count: int = 200, step_s: float = 5.0, wide_s: float = 0.02
) -> Iterable[Sample]:
    """Stamps of a clock that is ``offset`` ahead, each within ``wide_s`` of our own."""
    for number in range(count):
        moment = 1000 + number * step_s
        after, before = moment - rng.uniform(0, wide_s), moment + rng.uniform(0, wide_s)
        yield Sample(moment + offset(moment), after, before)


@given(st.integers(0, 1000), st.floats(-60, 60))
def test_the_true_offset_lies_within_the_bound(seed: int, ahead_s: float) -> None:
    offset = Offset(watch(lambda _: ahead_s, random.Random(seed), count=50))
    for moment in (0.0, 1000.0, 1111.1, 5000.0):
        bound = offset.at(moment)
        assert bound is not None
        assert bound.low_s - 1e-9 <= ahead_s <= bound.high_s + 1e-9
    assert offset.steps() == ()


def test_many_samples_bound_it_closer_than_any_one() -> None:
    found = list(watch(lambda _: 30.0, random.Random(1), count=400, step_s=0.1))
    bound = Offset(found).at(1020.0)
    assert bound is not None
    assert bound.offset_s == pytest.approx(30.0, abs=0.002)
    assert bound.error_s < 0.25 * min(s.high_s - s.low_s for s in found[:20])


def test_a_drift_within_the_allowance_is_followed() -> None:
    def drifting(moment: float) -> float:
        return 1.0 + 1e-4 * (moment - 1000)

    offset = Offset(watch(drifting, random.Random(2), count=2000, step_s=1.0))
    assert offset.steps() == ()
    for moment in (1000.0, 1500.5, 2999.0):
        bound = offset.at(moment)
        assert bound is not None
        assert bound.low_s <= drifting(moment) <= bound.high_s
        assert bound.error_s < 0.02


def test_a_stamp_cut_off_to_milliseconds_is_allowed_for() -> None:
    rng = random.Random(3)
    cut = []
    for number in range(500):
        moment = 1000 + number * 0.1 + rng.random() * 0.1
        stamp = int(moment * 1000) / 1000
        cut.append(Sample(stamp, moment - 1e-4, moment + 1e-4, 1e-3))
    bound = Offset(cut).at(1010.0)
    assert bound is not None
    assert bound.low_s <= 0 <= bound.high_s


def test_a_step_is_found_where_it_was() -> None:
    offset = Offset(watch(lambda moment: 0.0 if moment < 1500 else 2.0, random.Random(4)))
    (step,) = offset.steps()
    assert step == pytest.approx(1500, abs=0.1)
    assert any(bound.is_empty for m in (1499.0, 1501.0) if (bound := offset.at(m)))


def test_a_single_wrong_stamp_is_a_step_there_and_one_back() -> None:
    good = list(watch(lambda _: 0.0, random.Random(5)))
    wrong = Sample(1503 + 60.0, 1502.9, 1503.1)
    assert len(Offset([*good, wrong]).steps()) == 2


def test_without_samples_nothing_is_known() -> None:
    offset = Offset([])
    assert (len(offset), offset.at(5.0), offset.widest(), offset.steps()) == (0, None, None, ())


def test_far_from_any_sample_the_bound_is_wider() -> None:
    offset = Offset(watch(lambda _: 0.0, random.Random(6), count=20))
    near, far = offset.at(1050.0), offset.at(1050.0 + 3600)
    assert near is not None
    assert far is not None
    assert far.error_s == pytest.approx(near.error_s + 0.72, abs=0.05)  # 200 ppm of an hour
    widest = offset.widest()
    assert widest is not None
    assert widest.error_s >= near.error_s - 1e-9


def sampled(**changes: object) -> Record:
    created_at = datetime.fromtimestamp(1030.05, UTC).isoformat()
    made = record(fields={"status": "done", "created_at": created_at})
    made.attempts = [Attempt(1, 999.0, 1000.0, 1000.1, AttemptResult.ACCEPTED, 200)]
    made.changes = [
        StatusChange("new", 1001.0, 1000.0, 1030.05, ""),
        StatusChange("started", 1005.0, 1001.0, 999.5, "consumer-1"),
        StatusChange("done", 1009.0, 1005.0, None, "consumer-1"),
    ]
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_job_tells_of_the_frontend_by_its_submission_and_of_a_consumer_by_its_polls() -> None:
    found = dict(samples(sampled()))
    assert set(found) == {FRONTEND, "consumer-1"}
    frontend, consumer = found[FRONTEND], found["consumer-1"]
    assert frontend.low_s == pytest.approx(29.95)
    assert frontend.high_s == pytest.approx(30.051)  # the millisecond may be cut off
    assert (consumer.low_s, consumer.high_s) == pytest.approx((-5.5, -1.5), abs=1e-5)


def test_an_ambiguous_submission_tells_nothing_of_the_frontend() -> None:
    assert FRONTEND not in dict(samples(sampled(ambiguous=True)))


def test_a_job_without_stamps_tells_nothing() -> None:
    assert list(samples(sampled(snapshot=Snapshot({}), changes=[]))) == []
