"""Where a ZIP's time went and which images failed, beside what the simulated Kiosk knows."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk_locust.reporting.web.imported import as_ledger
from tests.helpers.ledgers import summarise
from tests.helpers.plays import sees
from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import processes
from tests.helpers.truth import STAMP_S

pytestmark = pytest.mark.proof  # scripts/proof runs it

#: ZIPs of 5 s and more that wait for a consumer, are unpacked for 1 s and packed for 0.7 s.
SLOW = (
    *("--seed=4", "--images-per-zip=10", "--zip-image-s=0.1", "--zip-cleanup-s=0.7"),
    *("--zip-consumers=2", "--jobs-per-gpu=4", "--predict-s=1"),
)
#: A twentieth of the shortest duration, and less.
OFTEN = "0.2"
STAGES = ("queue_wait", "unpacking", "children", "packing")


@dataclass
class Seen:
    finished: Finished
    lives: dict[str, dict[str, Any]]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.finished.results[0]["summary"]
        return summary

    def truth(self, job: dict[str, Any]) -> dict[str, float]:
        """Seconds of each stage, by the server's own clock."""
        life = self.lives[job["job_id"]]
        names = ("created_at", "started_at", "unpacked_at", "packing_at", "ended_at")
        moments = [life[name] for name in names]
        spans = (end - start for start, end in pairwise(moments))
        return dict(zip(STAGES, spans, strict=True))

    def all_hold(self) -> None:
        """Each stage lies within its bounds, and its value is off by no more than these."""
        assert {job["outcome"] for job in self.finished.jobs} <= {"done", "partial"}
        for job in self.finished.jobs:
            truth, bounds = self.truth(job), job["stage_bounds_s"]
            assert tuple(bounds) == STAGES
            for name in STAGES:
                low, high = bounds[name]
                assert low - STAMP_S <= truth[name] <= high + STAMP_S, (job, truth)
                value = job[f"{name}_s"]
                if value is not None:
                    assert low - STAMP_S <= value <= high + STAMP_S


def run(folder: Path, kiosk: Simulator, *arguments: str, **settings: str) -> Seen:
    given = {"FILE": "a.zip", "UPDATE_INTERVAL": OFTEN, **settings}
    finished = run_locust(folder, *arguments, host=kiosk.url, **given)
    return Seen(finished, kiosk.lives)


def polled_often(folder: Path) -> Seen:
    with simulator(*SLOW) as kiosk:
        return run(folder, kiosk, "-u", "6", "-r", "20")


def skewed(folder: Path) -> Seen:
    clocks = ("--frontend-skew-s=30", "--consumer-skew-s=-7")
    with simulator(*SLOW, *clocks) as kiosk:
        return run(folder, kiosk, "-u", "6", "-r", "20")


def polled_seldom(folder: Path) -> Seen:
    with simulator(*SLOW) as kiosk:
        return run(folder, kiosk, "-u", "6", "-r", "20", UPDATE_INTERVAL="20")


def by_workers(folder: Path) -> Seen:
    with simulator(*SLOW) as kiosk:
        return run(folder, kiosk, "-u", "6", "-r", "20", *processes(2))


def killed(folder: Path) -> Seen:
    """Its process is killed while one ZIP waits for its images, and it is resumed."""
    arguments = ("-u", "4", "-r", "20")
    settings: dict[str, Any] = {"FILE": "a.zip", "UPDATE_INTERVAL": OFTEN}
    with simulator(*SLOW, "--predict-s=3") as kiosk:
        begun = Locust(folder, *arguments, host=kiosk.url, start_new_session=True, **settings)
        try:
            wait_until(
                lambda: any(life["unpacked_at"] for life in kiosk.lives.values()),
                30, "a ZIP that is unpacked",
            )  # fmt: skip
            wait_until(lambda: waits_in(folder), 20, "a ledger that has it")
        finally:
            os.killpg(begun.process.pid, signal.SIGKILL)
            begun.process.wait()
        return run(folder, kiosk, *arguments, "--resume", "latest")


def waits_in(folder: Path) -> bool:
    """Whether the ledger has seen a ZIP at `waiting`."""
    rows = Finished(0, "", folder).sql("SELECT count(*) FROM changes WHERE phase = 'children'")
    return bool(rows[0][0])


@sees(polled_often)
def test_where_the_time_of_a_zip_went_is_known(seen: Seen) -> None:
    seen.all_hold()
    summary = seen.summary
    assert summary["soundness"]["unknown_share_zips"] <= 0.1
    assert summary["soundness"]["do_not_add_up"] == 0
    for name in STAGES:
        assert summary["percentiles_s"][name]["count"] == 6
        for job in seen.finished.jobs:
            off_s = abs(job[f"{name}_s"] - seen.truth(job)[name])
            assert off_s <= max(0.05 * job["duration_s"], 0.25 * job[f"{name}_s"])
    assert max(job["queue_wait_s"] for job in seen.finished.jobs) > 1  # two consumers, six ZIPs


@sees(polled_often)
def test_a_ledger_has_a_few_rows_for_each_zip(seen: Seen) -> None:
    counts = seen.finished.sql(
        "SELECT count(*), count(DISTINCT phase) FROM changes GROUP BY ticket_id"
    )
    assert all(rows <= 6 for rows, _ in counts)
    phases = [change["phase"] for change in seen.finished.jobs[-1]["status_changes"]]
    assert phases == sorted(phases, key=("queue", "unpacking", "children", "packing").index)


@sees(skewed)
def test_clocks_that_differ_leave_the_stages_within_their_bounds(seen: Seen) -> None:
    seen.all_hold()
    assert seen.summary["soundness"]["unknown_share_zips"] <= 0.1


@sees(polled_seldom)
def test_of_few_polls_the_stages_that_the_kiosk_measured_are_left(seen: Seen) -> None:
    seen.all_hold()
    for job in seen.finished.jobs:
        if job["polls"] == 1:  # it saw the end alone
            assert (job["queue_wait_s"], job["children_s"]) == (None, None)
            known_s = job["unpacking_s"] + job["packing_s"]
            assert abs(job["unknown_s"] + known_s - job["duration_s"]) < 0.1
    assert seen.summary["soundness"]["unknown_share_zips"] > 0.1
    assert "left the queue is not known" in seen.summary["polling"]["note"]
    assert (
        seen.summary["polling"]["sharper_s"]
        <= 0.05 * seen.summary["percentiles_s"]["duration"]["max"]
    )


@sees(by_workers)
def test_workers_tell_their_master_of_the_phases_of_zips(seen: Seen) -> None:
    seen.all_hold()
    assert seen.summary["soundness"]["unknown_share_zips"] <= 0.1


@sees(killed)
def test_phases_that_were_seen_before_a_kill_bound_the_stages_after_it(seen: Seen) -> None:
    seen.all_hold()
    assert len(seen.finished.jobs) == 4


# -- images that failed


@dataclass
class Failed:
    finished: Finished
    reasons: dict[str, dict[str, str]]  # by the ZIP's hash: file name, reason


def some_fail(folder: Path) -> Failed:
    with simulator("--seed=2", "--failure-rate=0.3", "--images-per-zip=8") as kiosk:
        finished = run_locust(
            folder, "-u", "4", "-r", "20", host=kiosk.url, FILE="a.zip", EXPIRE_TIME="600"
        )
        return Failed(finished, {key: reasons_of(kiosk, key) for key in kiosk.lives})


def reasons_of(kiosk: Simulator, key: str) -> dict[str, str]:
    """Of each failed child, as its own hash has it: name and last line of the reason."""
    failed = [child for child in field(kiosk, key, "children:failed").split(",") if child]
    return {
        field(kiosk, child, "original_name"): field(kiosk, child, "reason").splitlines()[-1]
        for child in failed
    }


def field(kiosk: Simulator, key: str, name: str) -> str:
    answer = requests.post(f"{kiosk.url}/api/redis", json={"hash": key, "key": name}, timeout=10)
    return answer.json()["value"] or ""


@sees(some_fail)
def test_each_failed_image_of_a_zip_is_named_with_its_reason(seen: Failed) -> None:
    told = {
        job["job_id"]: {image["name"]: image["reason"] for image in job["failures"]}
        for job in seen.finished.jobs
    }
    assert told == seen.reasons
    assert sum(map(len, told.values())) > 5
    assert {job["failures_left_out"] for job in seen.finished.jobs} == {0}


@sees(some_fail)
def test_failed_images_are_grouped_by_reason_in_results_report_and_on_the_screen(
    seen: Failed,
) -> None:
    count = sum(map(len, seen.reasons.values()))
    names = {name for images in seen.reasons.values() for name in images}
    (reason,) = {reason for images in seen.reasons.values() for reason in images.values()}
    (group,) = seen.finished.results[0]["summary"]["failures"]
    assert (group["reason"], group["images"]) == (reason, count)
    assert group["jobs"] == sum(1 for images in seen.reasons.values() if images)
    assert 0 < len(group["names"]) <= 5
    assert set(group["names"]) <= names
    screen = " ".join(seen.finished.output.split())
    assert f"{count} images failed: {reason} ({group['names'][0]}, " in screen
    (report,) = seen.finished.folder.glob("results/*.html")
    assert f'"failed_images":[{{"reason":"{reason}","images":{count},' in report.read_text()


@sees(some_fail)
def test_a_results_file_that_is_read_again_has_the_same_groups(seen: Failed) -> None:
    (path,) = seen.finished.folder.glob("results/*delay_*.json")
    with as_ledger(path) as ledger:
        found = summarise(ledger)
    told = seen.finished.results[0]["summary"]
    assert [asdict(group) | {"names": list(group.names)} for group in found.failures] == (
        told["failures"]
    )
    assert found.soundness.unknown_share_zips == pytest.approx(
        told["soundness"]["unknown_share_zips"], abs=1e-3
    )


@sees(some_fail)
def test_a_partial_jobs_reason_says_why_without_names(seen: Failed) -> None:
    partial = [job for job in seen.finished.jobs if job["outcome"] == "partial"]
    assert partial
    for job in partial:
        failed = seen.reasons[job["job_id"]]
        assert job["reason"] == f"{len(failed)} of its images failed: {next(iter(failed.values()))}"
