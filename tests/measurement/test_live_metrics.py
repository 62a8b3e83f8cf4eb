from __future__ import annotations

import math
import random

import pytest

from kiosk_locust.measurement.live_metrics import FEW, Metrics
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.model.record import Outcome
from tests.helpers.clocks import ManualClock
from tests.helpers.records import FIELDS, change, record, tell_closed


def metrics(total: int | None = 100) -> tuple[Metrics, ManualClock]:
    clock = ManualClock()
    return Metrics(clock, total), clock


def test_jobs_in_flight_are_counted_by_the_last_status_seen() -> None:
    found, _ = metrics()
    for number in range(3):
        found.on_submitted(record(number, None))
    found.on_status(record(1, None), change("started"))
    found.on_status(record(2, None), change("started"))
    found.on_status(record(2, None), change("predicting"))
    assert found.view().statuses == {"submitted": 1, "started": 1, "predicting": 1}
    assert (found.view().submitted, found.view().in_flight) == (3, 3)


def test_a_closed_job_is_no_longer_in_flight_and_counts_by_its_outcome() -> None:
    found, _ = metrics()
    found.on_submitted(record(0, None))
    tell_closed(found, record(0))
    tell_closed(found, record(1, Outcome.REJECTED, None))
    view = found.view()
    assert (view.in_flight, view.closed) == (0, 2)
    assert view.outcomes == {Outcome.DONE: 1, Outcome.REJECTED: 1}


def test_images_of_a_zip_are_counted_apart() -> None:
    found, _ = metrics()
    fields = {**FIELDS, "children:done": "a,b,c", "children:failed": "d"}
    tell_closed(found, record(0, Outcome.PARTIAL, fields, file="a.zip"))
    assert (found.view().images_done, found.view().images_failed) == (3, 1)


def test_tickets_that_no_job_was_made_for_are_counted_together() -> None:
    found, _ = metrics(50)
    found.on_never_leased(Outcome.UNFINISHED, 40)
    view = found.view()
    assert (view.closed, view.never_begun, view.outcomes) == (0, 40, {})
    assert not view.is_over


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    found, clock = metrics()
    for number in range(5):
        tell_closed(found, record(number))
    clock.time += 100
    assert found.view().rate_per_s == 0.0
    for number in range(20):
        tell_closed(found, record(number))
    clock.time += 5
    assert found.view().rate_per_s == 2.0


def test_the_rate_of_a_run_younger_than_ten_seconds_is_over_its_age() -> None:
    found, clock = metrics()
    clock.time += 4
    for number in range(8):
        tell_closed(found, record(number))
    assert found.view().rate_per_s == 2.0


def test_the_time_left_follows_from_the_last_minute() -> None:
    found, clock = metrics(100)
    for second in range(40):
        clock.time += 1
        tell_closed(found, record(second))
    assert found.view().left_s == pytest.approx(60.0)


def test_there_is_no_telling_the_time_left_before_a_job_is_closed() -> None:
    found, clock = metrics()
    clock.time += 10
    assert found.view().left_s is None


def test_a_pause_of_minutes_leaves_the_pace_of_the_whole_run() -> None:
    found, clock = metrics(20)
    for number in range(10):
        tell_closed(found, record(number))
    clock.time += 200
    assert found.view().left_s == pytest.approx(200.0)


def test_an_open_ended_run_has_no_time_left_until_it_is_given_a_total() -> None:
    found, clock = metrics(None)
    clock.time += 1
    tell_closed(found, record(0))
    assert (found.view().total, found.view().left_s) == (None, None)
    found.total = 1
    assert found.view().left_s == 0.0


def test_jobs_are_named_only_once_few_remain() -> None:
    found, _ = metrics(FEW + 1)
    for number in range(FEW + 1):
        found.on_submitted(record(number, None))
    assert found.view().waited_for == ()
    tell_closed(found, record(0))
    assert len(found.view().waited_for) == FEW
    assert found.view().waited_for[0] == record(1).job_id


def test_percentiles_are_within_a_thousandth_of_the_nearest_rank() -> None:
    found, _ = metrics()
    rng = random.Random(7)
    times = [round(rng.lognormvariate(0, 3), 6) for _ in range(1234)]
    for number, time_s in enumerate(times):
        tell_closed(found, record(number, fields={**FIELDS, "download_time": str(time_s)}))
    live = found.percentiles("download")
    times.sort()
    for value, percent in ((live.p50, 50), (live.p90, 90), (live.p95, 95), (live.p99, 99)):
        exact = times[math.ceil(len(times) * percent / 100) - 1]
        assert value == pytest.approx(exact, rel=1e-3, abs=1e-6)
    assert live.max == times[-1]


def test_a_time_of_months_is_kept_as_the_longest_that_fits() -> None:
    found, _ = metrics()
    tell_closed(found, record(fields={**FIELDS, "total_time": "1e9"}))
    assert found.percentiles("total").max == 60 * 24 * 3600


def test_a_measure_without_values_has_no_percentiles() -> None:
    assert metrics()[0].percentiles("cleanup") == Percentiles(0)


def test_nothing_is_kept_of_a_job_once_it_is_closed() -> None:
    found, clock = metrics(None)
    for number in range(2000):
        clock.time += 1
        found.on_submitted(record(number, None))
        found.on_status(record(number, None), change("started"))
        tell_closed(found, record(number))
    kept = [value for value in vars(found).values() if hasattr(value, "__len__")]
    assert max(len(value) for value in kept) < 100
