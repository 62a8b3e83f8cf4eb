"""ZIPs of which the Kiosk makes no image, or which it never ends: real runs, small servers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.plays import sees
from tests.helpers.real import Finished, run_locust, simulator
from tests.runs.test_upload_names import naming_kiosk
from tests.storage.inputs import pictures

pytestmark = pytest.mark.proof  # scripts/proof runs it

ID = "0123456789abcdef0123456789abcdef"


@dataclass
class Seen:
    """A run, and how long it took in seconds."""

    finished: Finished
    took_s: float
    lives: dict[str, dict[str, Any]]

    @property
    def job(self) -> dict[str, Any]:
        (job,) = self.finished.jobs
        return job


def with_fields(folder: Path, fields: dict[str, str], *, zipped_queue: bool = True) -> Seen:
    """A run of one ZIP whose hash has those fields from the start."""
    pictures.zipped(folder / "a.zip")
    with naming_kiosk(lambda number, _sent: f"uploads/{number}.zip") as kiosk:
        now = datetime.now(UTC).isoformat()
        kiosk.fields = {"created_at": now, "updated_at": now, **fields}
        kiosk.queue = "segmentation-zip" if zipped_queue else "segmentation"
        began = time.monotonic()
        finished = run_locust(folder, "--count", "1", host=kiosk.url, FILE="a.zip")
        return Seen(finished, time.monotonic() - began, {})


# What the ZIP consumer writes for a ZIP without a file that it takes (measured; KIOSK's facts).
NOTHING = {
    "status": "done", "total_jobs": "1", "children": "", "children:done": "",
    "children:failed": "", "failures": "", "progress": "0", "cleanup_time": "0.1",
    "finished_at": "2030-01-01T00:00:00+00:00", "output_url": "https://x/o.zip",
}  # fmt: skip


def empty(folder: Path) -> Seen:
    return with_fields(folder, NOTHING)


def empty_in_a_queue_of_another_name(folder: Path) -> Seen:
    return with_fields(folder, NOTHING, zipped_queue=False)


@sees(empty)
def test_a_zip_of_which_the_kiosk_took_nothing_has_failed_with_no_images(seen: Seen) -> None:
    assert seen.finished.code == 1, seen.finished.output
    assert seen.job["outcome"] == "failed"
    assert seen.job["reason"].startswith("the Kiosk made no image of it: it took no file")
    (results,) = seen.finished.results
    summary = results["summary"]
    assert (summary["images_done"], summary["images_failed"]) == (0, 0)
    assert seen.finished.sql("SELECT images_done, images_failed FROM tickets") == [(0, 0)]


@sees(empty_in_a_queue_of_another_name)
def test_a_zip_is_told_by_its_name_as_well(seen: Seen) -> None:
    assert (seen.finished.code, seen.job["outcome"]) == (1, "failed"), seen.finished.output
    (results,) = seen.finished.results
    assert results["summary"]["images_done"] == 0


def left_waiting(folder: Path) -> Seen:
    with simulator("--zip-stuck-rate", "1") as kiosk:
        began = time.monotonic()
        finished = run_locust(folder, "--count", "1", host=kiosk.url, FILE="set.zip")
        return Seen(finished, time.monotonic() - began, kiosk.lives)


@sees(left_waiting)
def test_a_zip_that_the_kiosk_waits_for_for_ever_fails_and_says_why(seen: Seen) -> None:
    assert seen.finished.code == 1, seen.finished.output
    assert seen.job["outcome"] == "failed"
    assert "the Kiosk waits for ever: 2 of 3 images of the ZIP are done" in seen.job["reason"]
    assert "has not changed for 3 polls" in seen.job["reason"]
    (life,) = seen.lives.values()
    assert life["ended_at"] is None  # as the server has it
    (results,) = seen.finished.results
    summary = results["summary"]
    assert (summary["images_done"], summary["images_failed"]) == (2, 1)
    assert seen.job["duration_s"] is None  # it did not end


def slowly(folder: Path) -> Seen:
    slow = ("--predict-s", "3", "--zip-cleanup-s", "4")
    with simulator(*slow) as kiosk:
        began = time.monotonic()
        finished = run_locust(
            folder, "--count", "1", host=kiosk.url, FILE="set.zip", UPDATE_INTERVAL="0.1"
        )
        return Seen(finished, time.monotonic() - began, kiosk.lives)


@sees(slowly)
def test_a_zip_that_works_or_is_packed_slowly_is_waited_for(seen: Seen) -> None:
    assert seen.finished.code == 0, seen.finished.output
    assert seen.job["outcome"] == "done"
    assert seen.finished.sql("SELECT polls FROM tickets")[0][0] > 30
    (life,) = seen.lives.values()
    assert life["images_done"] == 3
