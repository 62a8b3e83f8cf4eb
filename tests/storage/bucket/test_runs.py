"""Runs of real processes, and what is in the bucket afterwards."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.helpers.real import CLEAN, PYTHONPATH, Simulator, run_locust, simulator
from tests.storage.bucket.conftest import BUCKET
from tests.storage.bucket.proxy import Fault, Proxy, proxy_before


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator() as found:
        yield found


@pytest.fixture
def plain_proxy(fake_gcs: str) -> Iterator[Proxy]:
    with proxy_before(fake_gcs) as found:
        yield found


def settings(proxy: Proxy, prefix: str, file: str = "image.png") -> dict[str, str]:
    return {
        "STORAGE_BUCKET": f"gs://{BUCKET}/{prefix}",
        "STORAGE_EMULATOR_HOST": proxy.url,
        "FILE": file,
    }


def objects(fake_gcs: str, prefix: str) -> dict[str, bytes]:
    """What fake-gcs-server has below a prefix."""
    where = f"{fake_gcs}/storage/v1/b/{BUCKET}/o"
    items = requests.get(where, params={"prefix": prefix}, timeout=10).json().get("items", [])
    download = f"{fake_gcs}/download/storage/v1/b/{BUCKET}/o"
    return {
        item["name"].removeprefix(prefix): requests.get(
            f"{download}/{quote(item['name'], safe='')}?alt=media", timeout=10
        ).content
        for item in items
    }


@pytest.fixture(scope="module", autouse=True)
def _the_file_is_in_the_bucket(fake_gcs: str) -> None:
    where = f"{fake_gcs}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=uploads/image.png"
    requests.post(where, data=b"image", timeout=10).raise_for_status()


def lines_of(ledger: Path) -> list[str]:
    """All that a ledger says as SQL, but for what came after its copy was taken."""
    with closing(sqlite3.connect(ledger)) as db:
        return sorted(line for line in db.iterdump() if "'finish_after'" not in line)


def test_a_runs_files_are_in_the_bucket_afterwards(
    plain_proxy: Proxy, fake_gcs: str, kiosk: Simulator, tmp_path: Path
) -> None:
    ended = run_locust(tmp_path, "-u", "2", host=kiosk.url, **settings(plain_proxy, "whole"))
    assert ended.code == 0, ended.output
    found = objects(fake_gcs, "whole/output/")
    (ledger,) = tmp_path.glob("results/*.db")
    (results,) = tmp_path.glob("results/*.json")
    report = ledger.with_suffix(".html")
    assert found.pop(f"{ledger.stem}/checkpoint.db.gz")
    assert found.keys() == {f"{ledger.name}.gz", results.name, report.name}
    assert found[report.name] == report.read_bytes()
    assert found[results.name] == results.read_bytes()
    copy = tmp_path / "copy.db"
    copy.write_bytes(gzip.decompress(found[f"{ledger.name}.gz"]))
    assert lines_of(copy) == lines_of(ledger)
    for name in found:
        assert f"uploaded: gs://{BUCKET}/whole/output/{name}" in ended.output
    assert not list(tmp_path.glob("results/.*"))


def test_a_bucket_that_goes_away_costs_no_data_and_tells_what_to_do(
    plain_proxy: Proxy, fake_gcs: str, kiosk: Simulator, tmp_path: Path
) -> None:
    given = settings(plain_proxy, "away")
    plain_proxy.faults = [Fault("POST", "/upload/", "answer", 403, "{}", times=1000)]
    ended = run_locust(tmp_path, "-u", "1", host=kiosk.url, **given)
    assert ended.code == 0, ended.output
    command = re.search(r"to upload it later: python -m (.*)", ended.output)
    assert command
    assert "not permitted (403" in ended.output
    assert not objects(fake_gcs, "away/")
    plain_proxy.faults = []
    for _ in range(2):  # the second time, there is nothing left to do
        again = subprocess.run(
            [sys.executable, "-m", *command[1].split()],
            cwd=tmp_path,
            env=CLEAN | {"PYTHONPATH": PYTHONPATH, "STORAGE_EMULATOR_HOST": plain_proxy.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert again.returncode == 0, again.stderr
        found = objects(fake_gcs, "away/output/")
        assert len(found) == 3
    (ledger,) = tmp_path.glob("results/*.db")
    (tmp_path / "copy.db").write_bytes(gzip.decompress(found[f"{ledger.name}.gz"]))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
        assert db.execute("SELECT outcome FROM tickets").fetchall() == [("done",)]


def test_what_is_wrong_with_kiosk_and_bucket_is_told_before_the_run(
    plain_proxy: Proxy, kiosk: Simulator, tmp_path: Path
) -> None:
    given = settings(plain_proxy, "none", "zip100.zip") | {"JOB_TYPE": "unheard-of"}
    ended = run_locust(tmp_path, "-u", "1", host=kiosk.url, **given)
    assert ended.code == 2
    assert f"uploads/zip100.zip is not in gs://{BUCKET}: upload the file there" in ended.output
    assert "unheard-of" in ended.output
    assert not list(tmp_path.glob("results/*"))


def test_a_simulated_run_leaves_its_files_in_its_own_bucket_and_asks_nobody(
    plain_proxy: Proxy, tmp_path: Path
) -> None:
    given = settings(plain_proxy, "simulated")
    ended = run_locust(tmp_path, "-u", "1", "--simulate", **given)
    assert ended.code == 0, ended.output
    assert not plain_proxy.log
    there = tmp_path / "results" / "simulated_bucket" / "output"
    names = sorted(path.name for path in there.iterdir())
    assert len(names) == 3
    assert all(name.startswith("simulated_") for name in names)
    (results,) = there.glob("*.json")
    assert json.loads(results.read_text())["simulated"] is True
    assert f"uploaded: {results.as_uri()}" in ended.output
