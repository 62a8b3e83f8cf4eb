from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.measurement.estimates import unmeasured
from kiosk_locust.verdict.measurements import Measured, measured
from kiosk_locust.verdict.rules import judge
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import Result, evaluate
from tests.helpers.ledgers import IMAGE_FIELDS, T0, Row, make, never_leased

CREATED = "2027-01-15T08:00:00.000Z"


def lasting(number: int, seconds: float, **more: Any) -> Row:
    """A job due a second after the one before, that lasted so long, seen within 0.1 s."""
    at = T0 + number
    values: dict[str, Any] = {
        "number": number,
        "due_at": at,
        "taken_at": at,
        "submitted_at": at,
        "duration_s": seconds,
        "observed_after": at + seconds - 0.1,
        "observed_at": at + seconds,
        "closed_at": at + seconds,
        "fields": {**IMAGE_FIELDS, "created_at": ""},
    }
    return Row(**{**values, **more})


def unfinished(number: int, age_s: float) -> Row:
    given = {"outcome": "unfinished", "status": "started", "fields": None, "observed_at": None}
    at = T0 + number
    return lasting(number, 0.0, **given, observed_after=at + age_s, closed_at=at + age_s + 9)


def measure(tmp_path: Path, *rows: Row, thresholds: tuple[str, ...] = (), **given: Any) -> Measured:
    options = {"workload": "open", "update_interval_s": 1.0, **given.pop("options", {})}
    with opened(make(tmp_path / "run.db", rows, options=options, **given)) as db:
        return measured(db, facts(db), [parse(text, "a test") for text in thresholds])


def test_a_percentile_that_a_threshold_asks_for_is_measured(tmp_path: Path) -> None:
    rows = [lasting(n, 1.0 + n) for n in range(20)]
    found = measure(tmp_path, *rows, thresholds=("job.p90 < 60s", "queue_wait.max < 9s"))
    assert found.figures["job.p90"].value == 18.0
    assert found.figures["queue_wait.max"].value == 20.0 - 3.5  # without total_time
    assert [(each.measure, each.jobs) for each in found.facts.percentiles] == [("job.p90", 20)]


def test_jobs_that_did_not_end_miss_a_threshold_whatever_it_is(tmp_path: Path) -> None:
    rows = [*(lasting(n, 1.0) for n in range(8)), unfinished(8, 40.0), unfinished(9, 50.0)]
    threshold = parse("job.p90 < 3h", "a test")
    found = measure(tmp_path, *rows, thresholds=(threshold.text,))
    (row,) = evaluate([threshold], found.figures)
    assert (row.result, row.measured) == (Result.MISS, "> 0.01111 h")
    assert found.figures["job.p90"].value == 40.0
    assert "of the ended ones: 1 s" in found.figures["job.p90"].why


def test_a_ticket_that_came_due_and_was_never_submitted_counts_since_due(tmp_path: Path) -> None:
    waiting = never_leased(1, due_at=T0 + 1, closed_at=T0 + 31)
    later = never_leased(2, due_at=T0 + 60, closed_at=T0 + 31)  # the run was over before
    found = measure(
        tmp_path, lasting(0, 5.0), waiting, later, thresholds=("job_since_due.max < 1h",)
    )
    assert (
        found.figures["job_since_due.max"].value,
        found.figures["job_since_due.max"].is_least,
    ) == (
        30.0,
        True,
    )


def test_a_late_submission_shows_in_the_duration_since_due_alone(tmp_path: Path) -> None:
    late = lasting(0, 5.0, due_at=T0 - 20)
    found = measure(tmp_path, late, thresholds=("job.max < 1h", "job_since_due.max < 1h"))
    assert found.figures["job.max"].value == 5.0
    assert found.figures["job_since_due.max"].value == 25.0


def test_warm_up_and_cool_down_are_left_out_of_percentiles_and_not_of_counts(
    tmp_path: Path,
) -> None:
    rows = [lasting(n, 100.0 if n < 3 else 2.0) for n in range(13)]
    trim = {"trim": {"warmup": "3 jobs", "cooldown": "2s"}}
    found = measure(tmp_path, *rows, thresholds=("job.max < 60s",), options=trim)
    assert found.figures["job.max"].value == 2.0
    assert found.facts.tickets == 13
    whole = measure(tmp_path / "all", *rows, thresholds=("job.max < 60s",))
    assert whole.figures["job.max"].value == 100.0


def test_a_measure_that_no_job_has_is_not_measurable(tmp_path: Path) -> None:
    found = measure(tmp_path, lasting(0, 1.0), thresholds=("cleanup.p95 < 1s",))
    assert found.figures["cleanup.p95"] == unmeasured("no job has a value of it")


def test_the_cost_is_that_of_the_estimate(tmp_path: Path) -> None:
    run = {"total_usd": 4.0, "usd_per_job": 2.0, "usd_per_image": 0.5}
    cost = RunCost("A", "", Priced({}, {"at_least": False, "run": run, "reasons": []})).as_text()
    found = measure(tmp_path, lasting(0, 1.0), cost=cost)
    assert found.figures["cost.per_image"].value == 0.5
    lacking = RunCost("A", "Grafana is away").as_text()
    found = measure(tmp_path / "lacking", lasting(0, 1.0), cost=lacking)
    assert found.figures["cost.per_image"] == unmeasured("Grafana is away")


def test_a_cost_that_is_known_in_part_is_at_least_that_part(tmp_path: Path) -> None:
    told = {
        "at_least": True,
        "run": {**dict.fromkeys(("usd_per_job", "usd_per_image")), "total_usd": 4.0},
        "reasons": ["no price for x1"],
    }
    found = measure(tmp_path, lasting(0, 1.0), cost=RunCost("A", "", Priced({}, told)).as_text())
    figure = found.figures["cost.total"]
    assert (figure.value, figure.is_part) == (4.0, True)
    assert "no price for x1" in found.figures["cost.total"].why


def test_the_verdict_can_be_given_by_the_facts(tmp_path: Path) -> None:
    rows = [lasting(n, 2.0, taken_at=T0 + n + 3, ambiguous=n % 2) for n in range(10)]
    found = judge(measure(tmp_path, *rows).facts)
    assert {reason.rule for reason in found.reasons} == {"ambiguous", "waited-for-user"}
    assert {"event-loop", "cpu", "silence"} <= set(found.unjudged)


def test_all_jobs_at_once_are_a_batch_and_even_ones_that_keep_up_are_steady(tmp_path: Path) -> None:
    at_once = [lasting(0, float(n + 1)) for n in range(20)]
    assert measure(tmp_path, *at_once).regime.kind == "batch"
    even = [lasting(n, 2.0) for n in range(200)]
    assert measure(tmp_path / "even", *even).regime.kind == "steady"


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("all", "lacking", "even"):
        (tmp_path / name).mkdir()
