"""After a resume there is one results file of a run, here and in the bucket."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.model import file_names
from kiosk_locust.reporting import results_json
from kiosk_locust.storage.bucket import Address, open_bucket
from tests.helpers.ledgers import RUN_ID, Row, make
from tests.helpers.real import Locust, run_locust, simulator, wait_until

SLOW = ("--predict-s=0.5",)
#: Poisson arrivals: the mean gap, which stands in the name, changes with the jobs that there are.
ARGUMENTS = ("-u", "30", "-r", "10", "--arrival", "poisson", "--arrival-seed", "7", "-s", "0")


def as_the_howto_reads(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in folder.glob("*delay_*.json")]


def test_a_resumed_run_has_one_results_file_here_and_in_the_bucket(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (bucket / "uploads").mkdir()
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    stranger = bucket / "output" / f"9jobs_0.5delay_{'b' * 32}.json"
    stranger.parent.mkdir()
    stranger.write_text("{}")
    settings: dict[str, Any] = {"STORAGE_BUCKET": bucket.as_uri()}
    with simulator(*SLOW) as kiosk:
        run = Locust(tmp_path, *ARGUMENTS, "--run-name", "a", host=kiosk.url, **settings)
        wait_until(lambda: len(kiosk.submissions) >= 8, what="8 submissions")
        run.signal(signal.SIGINT)
        first = run.finish()
        assert first.code == 2, first.output
        (before,) = (tmp_path / "results").glob("*delay_*.json")
        assert (bucket / "output" / before.name).read_text() == before.read_text()
        left = run_locust(tmp_path, "--resume", "a", host=kiosk.url, **settings)
    assert left.code == 0, left.output
    (found,) = as_the_howto_reads(tmp_path / "results")
    assert (found["num_jobs"], len(found["sessions"])) == (30, 2)
    (after,) = (tmp_path / "results").glob("*delay_*.json")
    in_bucket = {path.name: path.read_text() for path in (bucket / "output").glob("*.json")}
    assert in_bucket == {after.name: after.read_text(), stranger.name: "{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "results"
    made.mkdir()
    return made


def test_only_results_of_that_run_are_removed_and_only_once_the_new_ones_are_there(
    folder: Path,
) -> None:
    ledger = make(folder / "a.db", [Row()])
    own = [f"1jobs_0.0944delay_{RUN_ID}.json", f"4gpu_7jobs_1e-05delay_{RUN_ID}_cycle2.json"]
    others = [
        f"1jobs_0.0944delay_{'b' * 32}.json",
        f"my_{RUN_ID}.json",
        f"1jobs_0.1delay_{RUN_ID}_copy.json",
        "a.html",
    ]
    for name in (*own, *others):
        (folder / name).write_text("{}")
    (written,) = results_json.write_all(ledger, folder).paths
    left = {path.name for path in folder.iterdir()}
    assert left == {"a.db", written.name, *others}


def test_results_stay_where_the_new_ones_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = make(folder / "a.db", [Row()])
    old = folder / f"9jobs_0.0944delay_{RUN_ID}.json"
    old.write_text("{}")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        results_json.write_all(ledger, folder)
    assert old.exists()


def test_results_under_the_same_name_are_replaced_in_the_bucket(tmp_path: Path) -> None:
    address = Address(folder=tmp_path / "bucket")
    archive = Archive(open_bucket(address), address)
    path = tmp_path / f"100jobs_0.5delay_{RUN_ID}.json"
    for text in ("first", "second"):
        path.write_text(text)
        assert not archive.keep([path]).missed
    kept = {found.name: found.read_text() for found in (tmp_path / "bucket/output").iterdir()}
    assert kept == {path.name: "second"}


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (f"simulated_4gpu_100jobs_0.5delay_{RUN_ID}.json", True),
        (f"100jobs_0.0944delay_{RUN_ID}_cycle3.json", True),
        (f"100jobs_0.5delay_{'b' * 32}.json", False),
        (f"../100jobs_0.5delay_{RUN_ID}.json", False),
        (f"100jobs_0.5delay_{RUN_ID}.json.gz", False),
    ],
)
def test_names_of_a_runs_results(name: str, is_one: bool) -> None:
    assert file_names.is_result_of(name, RUN_ID) is is_one
    assert not file_names.is_result_of(name, "")
