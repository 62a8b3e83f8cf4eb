"""A run's files in the bucket."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pytest

from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.cli import upload_results
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.storage.bucket import Address, open_bucket
from tests.helpers.ledgers import RUN_ID, Row, make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bucket"


@pytest.fixture
def archive(folder: Path) -> Archive:
    address = Address(folder=folder)
    return Archive(open_bucket(address), address)


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "output").iterdir())}


def test_a_ledger_is_kept_compressed_and_the_same_twice_is_kept_once(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    ledger = make(tmp_path / "a-run.db", [Row()])
    assert archive.keep([ledger]).urls == archive.keep([ledger]).urls
    assert {n: gzip.decompress(c) for n, c in kept(folder).items()} == {
        "a-run.db.gz": ledger.read_bytes()
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-run.db", "bucket"]


def test_what_a_resumed_run_wrote_anew_gets_a_number(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "100jobs_0.5delay_ab.json"
    for text in ("first", "second", "first", "second"):
        path.write_text(text)
        assert not archive.keep([path]).missed
    assert kept(folder) == {
        "100jobs_0.5delay_ab.json": b"first",
        "100jobs_0.5delay_ab_2.json": b"second",
    }


def test_what_a_process_that_died_left_beside_its_ledger_is_kept_too(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    ledger = make(tmp_path / "a-run.db", [Row()])
    db = sqlite3.connect(ledger)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("INSERT INTO meta VALUES ('late', 'word')")
    db.commit()
    torn = tmp_path / "torn.db"
    for suffix in ("", "-wal"):  # as a power cut leaves them
        torn.with_name(torn.name + suffix).write_bytes(
            ledger.with_name(ledger.name + suffix).read_bytes()
        )
    db.close()
    assert not archive.keep([torn]).missed
    (tmp_path / "back.db").write_bytes(gzip.decompress(kept(folder)["torn.db.gz"]))
    back = sqlite3.connect(tmp_path / "back.db")
    assert back.execute("SELECT value FROM meta WHERE key = 'late'").fetchone() == ("word",)
    back.close()


def test_a_ledger_in_use_is_left_alone_and_the_others_are_kept(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    ledger = make(tmp_path / "a-run.db", [Row()])
    (tmp_path / "a.json").write_text("{}")
    lock = Lock(ledger)
    done = archive.keep([ledger, tmp_path / "a.json", tmp_path / "gone.json"])
    lock.release()
    assert [path.name for path, _ in done.missed] == ["a-run.db", "gone.json"]
    assert "is in use" in done.reason
    assert list(kept(folder)) == ["a.json"]


def test_the_command_takes_a_ledger_with_its_results_or_their_folder(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_BUCKET", folder.as_uri())
    results = tmp_path / "results"
    results.mkdir()
    ledger = make(results / "a-run.db", [Row()])
    for name in (f"1jobs_0.05delay_{RUN_ID}.json", "a-run.html", "another.json", ".x.json.part"):
        (results / name).write_text(name)
    assert upload_results.main([str(ledger)]) == 0
    own = {"a-run.db.gz", "a-run.html", f"1jobs_0.05delay_{RUN_ID}.json"}
    assert kept(folder).keys() == own
    assert f"in the bucket: {folder.as_uri()}/output/a-run.html" in capsys.readouterr().err
    assert upload_results.main([str(results / "another.json")]) == 0
    assert kept(folder).keys() == own | {"another.json"}


def test_of_a_folder_go_ledgers_and_results_and_nothing_else_that_lies_there(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_BUCKET", folder.as_uri())
    results = tmp_path / "results"
    results.mkdir()
    make(results / "a-run.db", [Row()])
    orphan = f"2jobs_0.5delay_{'b' * 32}_cycle1.json"
    for name in ("a-run.html", "key.json", "notes.html", orphan, "photos.db", "image.png"):
        (results / name).write_text(name)
    assert upload_results.main([str(results)]) == 0
    assert kept(folder).keys() == {"a-run.db.gz", "a-run.html", orphan}
    assert "photos.db cannot be read" in capsys.readouterr().err
    assert upload_results.main([str(results / "image.png")]) == 2
    assert "there are no results at" in capsys.readouterr().err


def test_each_run_goes_to_its_own_bucket_unless_one_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORAGE_BUCKET", raising=False)
    (tmp_path / "results").mkdir()
    ledgers = []
    for name in ("a", "b"):
        files = {"files": {"storage_bucket": (tmp_path / f"bucket-{name}").as_uri()}}
        ledgers.append(str(make(tmp_path / "results" / f"{name}.db", [Row()], options=files)))
    assert upload_results.main([str(tmp_path / "results")]) == 0
    assert list(kept(tmp_path / "bucket-a")) == ["a.db.gz"]
    assert list(kept(tmp_path / "bucket-b")) == ["b.db.gz"]
    one = (tmp_path / "bucket-c").as_uri()
    assert upload_results.main(["--storage-bucket", one, *ledgers]) == 0
    assert list(kept(tmp_path / "bucket-c")) == ["a.db.gz", "b.db.gz"]


def test_a_bucket_that_refuses_keeps_no_other_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORAGE_BUCKET", raising=False)
    (tmp_path / "bucket-a").write_text("no folder")
    for name in ("a", "b"):
        files = {"files": {"storage_bucket": (tmp_path / f"bucket-{name}").as_uri()}}
        make(tmp_path / f"{name}.db", [Row()], options=files)
    assert upload_results.main([str(tmp_path)]) == 2
    assert list(kept(tmp_path / "bucket-b")) == ["b.db.gz"]
    assert "bucket-a is no folder" in capsys.readouterr().err


def test_the_ledgers_bucket_counts_where_none_is_given(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORAGE_BUCKET", raising=False)
    ledger = make(
        tmp_path / "a-run.db", [Row()], options={"files": {"storage_bucket": folder.as_uri()}}
    )
    assert upload_results.main([str(ledger)]) == 0
    assert list(kept(folder)) == ["a-run.db.gz"]
    (tmp_path / "a.json").write_text("{}")
    assert upload_results.main([str(tmp_path / "a.json")]) == 2
    assert "STORAGE_BUCKET (--storage-bucket): is needed" in capsys.readouterr().err
    assert upload_results.main([str(tmp_path / "nothing.json")]) == 2
    assert "there are no results at" in capsys.readouterr().err


def test_no_simulated_file_goes_to_a_bucket_of_googles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    (tmp_path / "simulated_a.json").write_text("{}")
    arguments = ["--storage-bucket", "gs://real-kiosk", "simulated_a.json"]
    assert upload_results.main(arguments) == 2
    assert capsys.readouterr().err == "left here: simulated_a.json is of a simulated run\n"
