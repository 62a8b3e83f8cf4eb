"""Runs whose truth is known: what the simulated Kiosk logged, beside what was reported."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers.real import run_locust, simulator
from tests.helpers.truth import (
    STAMP_S,
    beyond_their_bounds,
    duration_errors,
    fisher,
    kolmogorov_smirnov,
    told,
)

pytestmark = pytest.mark.alone  # what they compare is disturbed by a busy machine

ARRIVALS = {
    "constant": ("-r", "40"),
    "poisson": ("-r", "75", "--arrival", "poisson", "--arrival-seed", "3"),
}


@pytest.mark.parametrize(("arrival", "seed"), [("constant", 5), ("poisson", 6)])
def test_what_is_reported_is_what_happened(arrival: str, seed: int, tmp_path: Path) -> None:
    with simulator(f"--seed={seed}", "--spread=0.5", "--jobs-per-gpu=4") as kiosk:
        finished = run_locust(tmp_path, "-u", "150", *ARRIVALS[arrival], host=kiosk.url)
        assert finished.outcomes == {"done": 150}, finished.output
        jobs = told(finished, kiosk)
    assert max(duration_errors(jobs)) < STAMP_S
    assert beyond_their_bounds(jobs) == []
    frontend = finished.results[0]["clocks"]["frontend"]
    assert abs(frontend["offset_s"]) <= frontend["error_s"] + 1e-3
    for each in jobs:
        parts = ("lag_s", "socket_wait_s", "creation_s", "queue_wait_s", "processing_s")
        known = [each.job[name] for name in parts]
        assert None not in (*known, each.job["detection_s"])  # the poll comes after all of them
        assert sum(known) == pytest.approx(each.job["since_due_s"], rel=0.01, abs=2 * STAMP_S)
    gaps = [late.arrived_at - early.arrived_at for early, late in pairwise(jobs)]
    # Low, since a busy machine sends late and in clumps; even arrivals come to 1e-30.
    is_exponential = kolmogorov_smirnov(gaps, 1 / float(ARRIVALS[arrival][1])) > 1e-4
    assert is_exponential == (arrival == "poisson")


def test_clocks_that_are_30_s_off_are_found_and_durations_are_corrected(
    tmp_path: Path,
) -> None:
    with simulator("--frontend-skew-s=30", "--consumer-skew-s=-7", "--predict-s=0.5") as kiosk:
        finished = run_locust(tmp_path, "-u", "40", "-r", "40", host=kiosk.url)
        jobs = told(finished, kiosk)
    (found,) = finished.results
    frontend = found["clocks"]["frontend"]
    assert abs(frontend["offset_s"] - 30) <= frontend["error_s"] + 1e-3 < 0.1
    for clock in found["clocks"]["consumers"].values():
        assert abs(clock["offset_s"] + 7) <= clock["error_s"] + 1e-3
    assert found["summary"]["soundness"]["corrected"] == 40
    assert {each.job["duration_flaw"] for each in jobs} == {
        "it ended before it was created, by the Kiosk's clocks"
    }
    assert beyond_their_bounds(jobs) == []
    assert max(duration_errors(jobs)) < 0.2  # polled every 0.2 s


def test_every_failed_image_of_a_zip_is_counted_and_only_good_ones_share_the_cost(
    tmp_path: Path,
) -> None:
    with simulator("--seed=7", "--failure-rate=0.3", "--images-per-zip=20") as kiosk:
        arguments = ("-u", "10", "-r", "20", "--warmup", "2 jobs", "--file", "a.zip")
        finished = run_locust(tmp_path, *arguments, host=kiosk.url, GRAFANA_HOST=kiosk.url)
        lives = {each.job["job_id"]: each for each in told(finished, kiosk)}
        truth = kiosk.lives
    for name in ("images_done", "images_failed"):
        wanted = {key: life[name] for key, life in truth.items()}
        assert {key: each.job[name] for key, each in lives.items()} == wanted
        assert finished.results[0]["summary"][name] == sum(wanted.values())
    summary = finished.results[0]["summary"]
    assert summary["images_failed"] > 10
    good = sum(life["images_done"] for life in truth.values())
    cost = finished.results[0]["cost"]["estimate"]["run"]
    assert cost["usd_per_image"] == pytest.approx(cost["total_usd"] / good)
    for key, each in lives.items():
        life, bounds = truth[key], each.job["stage_bounds_s"]
        moments = ("created_at", "started_at", "unpacked_at", "packing_at", "ended_at")
        stages = ("queue_wait", "unpacking", "children", "packing")
        for stage, (start, end) in zip(stages, pairwise(moments), strict=True):
            low, high = bounds[stage]
            assert low - STAMP_S <= life[end] - life[start] <= high + STAMP_S
    assert (summary["trimmed"]["jobs"], summary["percentiles_s"]["duration"]["count"]) == (2, 8)
    assert [job["in_summary"] for job in finished.jobs] == [False] * 2 + [True] * 8


def test_tests_are_taken_together_by_fisher_s_method() -> None:
    assert fisher([0.3]) == pytest.approx(0.3)
    assert fisher([0.05, 0.05]) == pytest.approx(0.0175, abs=1e-4)  # chi-squared 11.98, 4 degrees
    assert fisher([0.5] * 9 + [0.04]) > 0.05  # one of ten that is low says nothing
