"""Settings of uploads and downloads: what they make together, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.model.options import TransferOptions, from_json, options_as_json
from tests.helpers.layered import mistakes, resolve
from tests.storage.inputs import pictures


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        pictures.png(tmp_path / "in" / name)
    return tmp_path


def test_there_is_a_job_for_each_file(folder: Path) -> None:
    options = resolve(env={"MODE": "upload", "FILE": "in"}).options
    assert (options.count, options.users, options.workload) == (3, 3, "open")
    assert options.file == options.transfers.root == str(folder / "in")
    assert [options.transfers.file_of(n, "") for n in range(3)] == ["a.png", "b.png", "c.png"]
    assert options.transfers.download


def test_count_takes_the_first_files_and_users_are_how_many_at_once(folder: Path) -> None:
    given = {"--mode": "upload", "--file": "in", "--count": "2", "-u": "1"}
    options = resolve(cli=given).options
    assert (options.count, options.users, options.workload) == (2, 1, "closed")


def test_more_jobs_than_files_are_not_made_and_that_is_told(folder: Path) -> None:
    resolved = resolve(cli={"--mode": "upload", "--file": "in", "--count": "9"})
    assert resolved.options.count == 3
    assert "--count 9, but there are 3 files: so many jobs" in resolved.notices


def test_in_benchmark_mode_every_job_uploads_the_one_file(folder: Path) -> None:
    options = resolve(env={"UPLOAD": "true", "FILE": "in/a.png", "COUNT": "5"}).options
    assert [options.transfers.file_of(n, "") for n in range(5)] == ["a.png"] * 5
    assert not options.transfers.download


def test_images_per_job_is_what_is_in_the_zip_that_each_job_uploads(folder: Path) -> None:
    pictures.zipped(folder / "set.zip", images=7)
    given = {"UPLOAD": "true", "FILE": "set.zip"}
    assert resolve(env=given).options.cost.images_per_job == 7
    assert resolve(env={**given, "IMAGES_PER_JOB": "9"}).options.cost.images_per_job == 9
    assert resolve(env={"UPLOAD": "true", "FILE": "in/a.png"}).options.cost.images_per_job is None


def test_what_is_downloaded_follows_the_mode_unless_it_is_said(folder: Path) -> None:
    mode = {"MODE": "upload", "FILE": "in"}
    assert not resolve(env={**mode, "DOWNLOAD_RESULTS": "false"}).options.transfers.download
    assert not resolve(env=mode, cli={"--no-download-results": "true"}).options.transfers.download
    assert resolve(cli={"--download-results": "true"}).options.transfers.download


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "FILE (--file): is required here: name the local file or folder to upload"),
        ({"FILE": "nowhere"}, "is to be uploaded, but there is no"),
        ({"FILE": "in", "UPLOAD_VIA": "bucket"}, "needs a bucket: set STORAGE_BUCKET"),
        ({"FILE": "in", "COUNT": "0"}, "means no end of jobs, but there is one for each file"),
        ({"FILE": "junk"}, "has nothing to upload: notes.txt is neither PNG, JPEG, TIFF nor ZIP"),
        ({"FILE": "empty"}, "has nothing to upload: the folder is empty"),
    ],
)
def test_what_cannot_be_uploaded_is_a_mistake_with_its_cure(
    folder: Path, given: dict[str, str], words: str
) -> None:
    (folder / "empty").mkdir()
    (folder / "junk").mkdir()
    (folder / "junk" / "notes.txt").write_text("no image")
    (mistake,) = mistakes(env={"MODE": "upload", **given})
    assert words in mistake


def test_a_folder_in_benchmark_mode_is_a_mistake(folder: Path) -> None:
    (mistake,) = mistakes(env={"UPLOAD": "true", "FILE": "in"})
    assert "is a folder; --mode upload makes a job for every file in it" in mistake


def test_hosts_that_results_may_come_from_are_names_alone(folder: Path) -> None:
    found = resolve(env={"DOWNLOAD_HOSTS": " Storage.internal, 10.0.0.7,[::1] "}).options
    assert found.transfers.download_hosts == "storage.internal,10.0.0.7,::1"
    again = from_json(TransferOptions, options_as_json(found)["transfers"])
    assert again.download_hosts == found.transfers.download_hosts
    for wrong in ("http://a", "a:80", "a,,b", "a b", "10.0.0.0/8"):
        (mistake,) = mistakes(env={"DOWNLOAD_HOSTS": wrong})
        assert "must be names or IP addresses of hosts with commas between" in mistake
