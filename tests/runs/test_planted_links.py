"""Links that others planted in OUTPUT_DIR: nothing is written through one, nor given away."""

from __future__ import annotations

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from gevent.event import Event

from kiosk_locust.assembly.restore import fetch_newest
from kiosk_locust.checkpoint.snapshot import object_name, pack, unpack
from kiosk_locust.config.sources import Layer, Layers, SettingText
from kiosk_locust.errors import LedgerError, OptionsError
from kiosk_locust.filesystem.symlinks import leads_out, open_part
from kiosk_locust.ledger import file as opening
from kiosk_locust.ledger.recovery import Mark
from kiosk_locust.model.record import Download, Record
from kiosk_locust.reporting.web.pages import Pages
from kiosk_locust.storage import atomic_files
from kiosk_locust.storage.bucket import Address
from kiosk_locust.storage.bucket.folder import FolderBucket
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.transfers.fetching import Fetch, session
from kiosk_locust.storage.transfers.movers import check_results_folder
from kiosk_locust.storage.transfers.reach import Reach
from tests.helpers.clocks import ManualClock
from tests.helpers.ledgers import Row, make
from tests.helpers.servers import RawServer, answering, raw_answer
from tests.storage.transfers.test_downloads import closed


class Folders:
    """OUTPUT_DIR, a folder outside of it, and links from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.inside, self.outside = folder / "results", folder / "outside"
        self.inside.mkdir()
        self.outside.mkdir()

    def plant(self, name: str) -> Path:
        """A link in OUTPUT_DIR to a file outside that is not there."""
        path = self.inside / name
        path.symlink_to(self.outside / "theirs")
        return path

    @property
    def is_untouched(self) -> bool:
        return list(self.outside.iterdir()) == []


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


# -- files that are written


@pytest.mark.parametrize("name", [".a.html.{pid}.part", "a.html"])
def test_a_report_goes_through_no_link(folders: Folders, name: str) -> None:
    folders.plant(name.format(pid=os.getpid()))
    with atomic_files.atomic_file(folders.inside / "a.html") as file:
        file.write(b"whole")
    assert (folders.inside / "a.html").read_bytes() == b"whole"
    assert not (folders.inside / "a.html").is_symlink()
    assert folders.is_untouched


@pytest.mark.parametrize("mode", ["xb", "ab"])
def test_a_link_to_a_file_leaves_it_as_it_was(folders: Folders, mode: Any) -> None:
    (folders.outside / "theirs").write_text("theirs")
    path = folders.plant("a.part")
    with open_part(path, mode) as file:
        file.write(b"ours")
    assert (folders.outside / "theirs").read_text() == "theirs"
    assert (path.is_symlink(), path.read_bytes()) == (False, b"ours")


def test_a_part_is_gone_on_with(folders: Folders) -> None:
    path = folders.inside / "a.part"
    path.write_bytes(b"half ")
    with open_part(path, "ab") as file:
        file.write(b"and half")
    assert path.read_bytes() == b"half and half"


def checkpoint(folders: Folders, name: str) -> Layers:
    """One in a bucket, and the setting that names it."""
    bucket = folders.inside.parent / "bucket"
    packed = bucket / object_name(Address.parse(bucket.as_uri()), name)
    packed.parent.mkdir(parents=True)
    pack(make(bucket.parent / "made.db", [Row()], alive_at="5.0"), Mark(5.0, "theirs"), packed)
    given = SettingText(bucket.as_uri(), "STORAGE_BUCKET", "a test")
    return Layers((Layer("a test", {"storage_bucket": given}),))


@pytest.mark.parametrize(
    "name",
    [
        *(".run.db.fetched.part", ".run.db.fetched", ".run.db.restored"),
        *(".run.db.{pid}.fetched.part", ".run.db.{pid}.fetched", ".run.db.{pid}.restored"),
    ],
)
def test_a_checkpoint_is_fetched_through_no_link(folders: Folders, name: str) -> None:
    given = checkpoint(folders, "run")
    folders.plant(name.format(pid=os.getpid()))
    assert fetch_newest(given, folders.inside / "run.db") != 0
    with closing(sqlite3.connect(folders.inside / "run.db")) as db:
        assert db.execute("SELECT count(*) FROM tickets").fetchone() == (1,)
    assert folders.is_untouched


def test_a_checkpoint_is_taken_and_unpacked_through_no_link(folders: Folders) -> None:
    ledger = make(folders.inside / "run.db", [Row()])
    packed = folders.plant("packed")
    folders.plant("packed.db")
    pack(ledger, Mark(5.0, "ours"), packed)
    unpack(packed, folders.plant("again.db"), "it")
    assert folders.is_untouched
    with closing(sqlite3.connect(folders.inside / "again.db")) as db:
        assert db.execute("SELECT count(*) FROM tickets").fetchone() == (1,)


def test_an_object_of_a_bucket_is_read_into_no_link(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "a").write_bytes(b"an object")
    folders.plant("a.part")
    FolderBucket(tmp_path / "bucket").get("a", folders.plant("a"))
    assert (folders.inside / "a").read_bytes() == b"an object"
    assert folders.is_untouched


def test_a_result_is_downloaded_into_no_link(folders: Folders) -> None:
    folders.plant("a.bin.part")
    path = folders.plant("a.bin")
    http = session(1, Reach("http://127.0.0.1:1"))
    with RawServer(answering(raw_answer(200, b"a result"))) as server:
        assert Fetch(http, f"{server.url}/a.bin", path, timeout_s=5.0)() == 8
    assert path.read_bytes() == b"a result"
    assert folders.is_untouched


# -- folders and ledgers that are links


def test_a_results_folder_that_leads_out_is_refused_with_its_name(folders: Folders) -> None:
    (folders.inside / "run_results").symlink_to(folders.outside)
    with pytest.raises(OptionsError, match="has run_results, a link that leads out") as refused:
        check_results_folder(folders.inside, "run")
    assert "name another folder by OUTPUT_DIR" in str(refused.value)


def test_an_output_folder_that_is_a_link_itself_is_fine(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folders.inside)
    (folders.inside / "run_results").mkdir()
    check_results_folder(tmp_path / "linked", "run")
    (folders.inside / "other_results").symlink_to(folders.inside / "run_results")
    check_results_folder(tmp_path / "linked", "other")
    make(folders.inside / "run.db", [Row()])
    lock, connection = opening.reopen(tmp_path / "linked" / "run.db")
    connection.close()
    lock.release()


def test_a_results_folder_that_becomes_a_link_in_mid_run_gets_no_file(folders: Folders) -> None:
    (folders.inside / "run_results").symlink_to(folders.outside)
    told: list[str] = []

    def tell(_record: Record, download: Download) -> None:
        told.append(download.error)

    downloads = Downloads(
        folders.inside / "run_results",
        at_once=1,
        timeout_s=1.0,
        reach=Reach("http://127.0.0.1:1"),
        clock=ManualClock(),
        rng=random.Random(1),
    )
    with RawServer(answering(raw_answer(200, b"a result"))) as server:
        downloads.begin(closed(0, f"{server.url}/a.bin"), tell)
        downloads.finish(10.0, Event())
    (error,) = told
    assert "run_results is a link that leads out of that folder" in error
    assert folders.is_untouched


def test_no_half_download_is_deleted_through_a_link(folders: Folders) -> None:
    (folders.outside / "theirs.part").write_text("theirs")
    (folders.inside / "run_results").symlink_to(folders.outside)
    atomic_files.remove_downloads(folders.inside / "run_results")
    assert (folders.outside / "theirs.part").exists()


def test_a_ledger_that_leads_out_is_not_gone_on_with(folders: Folders) -> None:
    theirs = make(folders.outside / "theirs.db", [Row()])
    before = theirs.read_bytes()
    (folders.inside / "run.db").symlink_to(theirs)
    with pytest.raises(LedgerError, match="is a link that leads out of its folder") as refused:
        opening.reopen(folders.inside / "run.db", migrating=True)
    assert f"name the ledger itself ({theirs})" in str(refused.value)
    assert (theirs.read_bytes(), len(list(folders.outside.iterdir()))) == (before, 1)


def test_a_link_in_a_circle_or_to_nothing_leads_out(folders: Folders) -> None:
    (folders.inside / "round").symlink_to("round")
    assert leads_out(folders.inside / "round")
    assert leads_out(folders.plant("nothing"))


# -- files that a page gives away

RUN_ID = "a" * 32


class Shown:
    """A folder of runs, none of which is on."""

    refusal, current = "", None

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir


def answer(folder: Path, path: str) -> tuple[int, bytes]:
    """Status and body of a page, as Flask's client sees them."""
    app = Flask("test")
    app.register_blueprint(Pages(Shown(folder), lambda view: view).blueprint(""))
    with app.test_client().get(f"/kiosk/{path}") as answered:
        return answered.status_code, answered.data


def test_a_page_gives_away_files_of_the_folder_alone(folders: Folders) -> None:
    make(folders.inside / "run.db", [Row()], run_name="run", run_id=RUN_ID)
    (folders.outside / "secret.json").write_text("canary")
    (folders.inside / f"1jobs_0.5dela2jobs_0.5delay_{RUN_ID}.json").symlink_to(
        folders.outside / "secret.json"
    )
    (folders.inside / f"2jobs_0.5delay_{RUN_ID}.json").write_text("ours")
    data = answer(folders.inside, "runs/run/data.json")[1]
    assert (
        f"2jobs_0.5delay_{RUN_ID}.json".encode() in data,
        f"1jobs_0.5dela2jobs_0.5delay_{RUN_ID}".encode() in data,
    ) == (True, False)
    assert answer(folders.inside, f"runs/run/files/2jobs_0.5delay_{RUN_ID}.json") == (200, b"ours")
    status, body = answer(
        folders.inside, f"runs/run/files/1jobs_0.5dela2jobs_0.5delay_{RUN_ID}.json"
    )
    assert (status, b"canary" in body) == (404, False)


def test_a_file_that_became_a_link_since_it_was_listed_is_not_given_away(folders: Folders) -> None:
    make(folders.inside / "run.db", [Row()], run_name="run", run_id=RUN_ID)
    (folders.outside / "secret.json").write_text("canary")
    (folders.inside / "run.json").write_text("ours")
    app = Flask("test")
    app.register_blueprint(Pages(Shown(folders.inside), lambda view: view).blueprint(""))
    browser = app.test_client()
    with browser.get("/kiosk/runs/run/files/run.json") as answered:
        assert answered.data == b"ours"
    (folders.inside / "run.json").unlink()
    (folders.inside / "run.json").symlink_to(folders.outside / "secret.json")
    with browser.get("/kiosk/runs/run/files/run.json") as answered:
        assert (answered.status_code, b"canary" in answered.data) == (404, False)


@pytest.mark.parametrize("page", ["", "/data.json", "/jobs.csv", "/files/run.db"])
def test_a_ledger_that_leads_out_is_no_run_of_the_folder(folders: Folders, page: str) -> None:
    theirs = make(folders.outside / "theirs.db", [Row()], run_name="run")
    (folders.inside / "run.db").symlink_to(theirs)
    assert answer(folders.inside, f"runs/run{page}")[0] == 404
