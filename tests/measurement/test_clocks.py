from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.ledger.reader import opened
from kiosk_locust.measurement.clock_offsets import Clocks, clocks
from kiosk_locust.measurement.clocks import DRIFT, FRONTEND, Offset, Sample
from tests.helpers.ledgers import Row, make

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


def of_a_job(folder: Path, **changes: Any) -> Clocks:
    """What the ledger of a run with one job tells of clocks."""
    values: dict[str, Any] = {
        "submitted_at": 1000.0,
        "fields": {"created_at": datetime.fromtimestamp(1030.05, UTC).isoformat()},
        "attempts": ((1, 999.0, 1000.0, 1000.1, "accepted", 200, None, "id"),),
        "changes": (
            (1001.0, 1000.0, "new", 1030.05, None),
            (1005.0, 1001.0, "started", 999.5, "consumer-1"),
            (1009.0, 1005.0, "done", None, "consumer-1"),
        ),
    }
    path = make(folder / "run.db", [Row(**{**values, **changes})])
    with opened(path) as db:
        return clocks(db)


def test_a_job_tells_of_the_frontend_by_its_submission_and_of_a_consumer_by_its_polls(
    tmp_path: Path,
) -> None:
    found = of_a_job(tmp_path)
    assert found.counts == {FRONTEND: 1, "consumer-1": 1}
    frontend, consumer = found.bound(FRONTEND, 1000.1), found.bound("consumer-1", 1005.0)
    assert frontend is not None
    assert consumer is not None
    slack_s = DRIFT * 0.1  # between the first byte and the answer
    assert frontend.low_s == pytest.approx(29.95 - slack_s)
    assert frontend.high_s == pytest.approx(30.051 + slack_s)  # the millisecond may be cut off
    slack_s = DRIFT * 4.0
    expected = (-5.5 - slack_s, -1.5 + slack_s)
    assert (consumer.low_s, consumer.high_s) == pytest.approx(expected, abs=1e-5)


def test_an_ambiguous_submission_tells_nothing_of_the_frontend(tmp_path: Path) -> None:
    assert FRONTEND not in of_a_job(tmp_path, ambiguous=1).counts


def test_a_job_without_stamps_tells_nothing(tmp_path: Path) -> None:
    assert of_a_job(tmp_path, fields={}, changes=()).counts == {}
