"""Checkpoints of real runs: a pod that is killed goes on elsewhere, from what its bucket has."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event

from kiosk_locust.checkpoint.scheduler import LOOK_S, Checkpoints
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.storage.bucket.folder import FolderBucket
from tests.helpers.clocks import ManualClock
from tests.helpers.lostdisk import NAME, Loss, play
from tests.helpers.real import Locust, run_locust, simulator, wait_until

pytestmark = pytest.mark.resilience  # scripts/resilience runs it

SLOW = ("--predict-s=0.5",)


def folder_bucket(folder: Path) -> tuple[dict[str, Any], Path]:
    """A bucket with the file that jobs work on, as settings; and where its checkpoint will be."""
    bucket = folder / "bucket"
    (bucket / "uploads").mkdir(parents=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    settings = {"STORAGE_BUCKET": bucket.as_uri()}
    return settings, bucket / "output" / NAME / "checkpoint.db.gz"


JOBS = 28
LOSSES = {
    "open": Loss(jobs=JOBS, kill_after=(16,)),
    "closed": Loss(jobs=JOBS, closed=True, users=8, kill_after=(12,)),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_run_whose_disk_is_lost_goes_on_from_its_bucket(tmp_path: Path, loss: Loss) -> None:
    settings, checkpoint = folder_bucket(tmp_path)
    with simulator(*SLOW) as kiosk:
        came = play(kiosk, tmp_path, loss, settings, checkpoint.exists)
    judgement = came.judgement
    assert judgement.complaints == (), came.outputs[-1]
    assert judgement.closed == judgement.tickets == JOBS
    assert JOBS <= judgement.submissions <= JOBS + judgement.ambiguous
    assert 0 < judgement.ambiguous <= JOBS
    assert "there is none on this disk" in came.outputs[-1]
    assert "may have been submitted since then" in came.outputs[-1]


def test_all_is_written_and_in_the_bucket_within_5_s_of_the_end_of_what_jobs_are_given(
    tmp_path: Path,
) -> None:
    """Jobs are given 2 s after SIGTERM here, at most 10 s; so it takes 15 s at most."""
    settings, checkpoint = folder_bucket(tmp_path)
    named = ("--run-name", NAME, "-u", "40", "-r", "40", "-s", "2")
    with simulator("--predict-s=60") as kiosk:
        run = Locust(tmp_path, *named, host=kiosk.url, **settings)
        wait_until(lambda: len(kiosk.submissions) >= 20, what="20 submissions")
        began = time.monotonic()
        run.signal(signal.SIGTERM)
        finished = run.finish()
        assert time.monotonic() - began < 2 + 5, finished.output
    assert finished.code == 2
    stored = sqlite_of(checkpoint, tmp_path)
    assert stored.execute("SELECT count(*) FROM tickets WHERE state = 'closed'").fetchone() == (40,)
    assert stored.execute("SELECT value FROM meta WHERE key = 'ended_by'").fetchone() == (
        "SIGTERM",
    )
    names = {path.suffix for path in (tmp_path / "bucket" / "output").glob("*")}
    assert {".gz", ".json", ".html"} <= names


def test_a_run_that_was_ended_politely_goes_on_elsewhere_without_a_doubt(tmp_path: Path) -> None:
    settings, _ = folder_bucket(tmp_path)
    named = ("--resume-or-start", NAME, "-u", "20", "-r", "20", "-s", "0")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    with simulator(*SLOW) as kiosk:
        run = Locust(tmp_path / "first", *named, host=kiosk.url, **settings)
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        run.signal(signal.SIGINT)
        run.finish()
        finished = run_locust(tmp_path / "second", *named, host=kiosk.url, **settings)
        assert len(kiosk.submissions) == 20
    assert finished.outcomes == {"done": 20}
    assert not any(job["ambiguous"] for job in finished.jobs)


def test_a_bucket_that_fails_costs_the_run_nothing(tmp_path: Path) -> None:
    settings, checkpoint = folder_bucket(tmp_path)
    arguments = ("--run-name", NAME, "-u", "44", "-r", "2", "--checkpoint", "1")
    with simulator() as kiosk:
        run = Locust(tmp_path, *arguments, host=kiosk.url, MANAGER_REFRESH_RATE="1", **settings)
        wait_until(lambda: len(kiosk.submissions) >= 5, what="5 submissions")
        output = tmp_path / "bucket" / "output"
        output.rename(tmp_path / "away")
        output.write_text("no folder any more")
        wait_until(lambda: "no checkpoint was kept" in run.output, what="a warning")
        wait_until(lambda: "no checkpoint has succeeded for" in run.output, 15, what="the cause")
        wait_until(lambda: "; checkpoints FAIL for" in run.output, 5, what="the progress line")
        output.unlink()
        (tmp_path / "away").rename(output)
        finished = run.finish()
        assert len(kiosk.submissions) == 44
    assert (finished.code, finished.outcomes) == (0, {"done": 44}), finished.output
    assert finished.output.count("no checkpoint was kept") == 1  # of a dozen that failed
    assert "a checkpoint was kept again" in finished.output
    assert "checkpoints work again after" in finished.output
    last = [each for each in finished.output.splitlines() if "terminal.progress" in each][-1]
    assert "checkpoints FAIL" not in last
    assert checkpoint.exists()


def test_a_process_whose_run_goes_on_elsewhere_ends_and_overwrites_nothing(tmp_path: Path) -> None:
    settings, checkpoint = folder_bucket(tmp_path)
    arguments = ("--run-name", NAME, "-u", "90", "-r", "10", "--checkpoint", "1", "-s", "0")
    with simulator() as kiosk:
        run = Locust(tmp_path, *arguments, host=kiosk.url, **settings)
        wait_until(lambda: len(kiosk.submissions) >= 5, what="5 submissions")
        checkpoint.unlink()
        checkpoint.write_bytes(gzip.compress(a_checkpoint_of_somebody_else(tmp_path)))
        theirs = checkpoint.read_bytes()
        finished = run.finish()
        assert len(kiosk.submissions) < 90
    assert finished.code == 2
    assert "another process goes on with this run" in finished.output
    assert checkpoint.read_bytes() == theirs


def test_another_process_is_noticed_long_before_the_next_checkpoint(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "run.db", {})
    folder, clock, overtaken = tmp_path / "bucket", ManualClock(), Event()
    checkpoints = Checkpoints(
        FolderBucket(folder), "checkpoint.db.gz", ledger, Tickets(lambda *_: iter(())), clock,
        every_s=600, on_overtaken=lambda _: overtaken.set(),
    )  # fmt: skip
    checkpoints.first(insist=True)
    (folder / "checkpoint.db.gz").unlink()
    packed = gzip.compress(a_checkpoint_of_somebody_else(tmp_path))
    (folder / "checkpoint.db.gz").write_bytes(packed)
    checkpoints.start()
    assert overtaken.wait(10)
    assert clock.now() - 1000 <= 2 * LOOK_S
    assert (folder / "checkpoint.db.gz").read_bytes() == packed
    ledger.close()


def test_a_name_that_a_run_has_in_the_bucket_is_refused(tmp_path: Path) -> None:
    settings, checkpoint = folder_bucket(tmp_path)
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(gzip.compress(a_checkpoint_of_somebody_else(tmp_path)))
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "--run-name", NAME, host=kiosk.url, **settings)
        assert not kiosk.submissions
    assert finished.code == 2
    assert "--resume-or-start" in finished.output
    assert not list((tmp_path / "results").glob("*.db"))


# -- helpers


def sqlite_of(checkpoint: Path, folder: Path) -> sqlite3.Connection:
    path = folder / "copy.db"
    path.write_bytes(gzip.decompress(checkpoint.read_bytes()))
    return sqlite3.connect(path)


def a_checkpoint_of_somebody_else(folder: Path) -> bytes:
    path = folder / "theirs.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        mark = json.dumps({"taken_at": 0.0, "process": "theirs"})
        db.execute("INSERT INTO meta VALUES ('checkpoint', ?)", (mark,))
        db.commit()
    return path.read_bytes()
