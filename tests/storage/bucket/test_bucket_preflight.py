"""What is asked of the bucket before the first job."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.assembly import bucket_preflight
from kiosk_locust.assembly.bucket_preflight import open_for, with_images
from kiosk_locust.errors import NotPermitted, PreflightError
from kiosk_locust.model.options import CostOptions, FilesOptions, Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.storage.bucket.folder import FolderBucket
from kiosk_locust.storage.bucket.gcs import GoogleBucket
from tests.helpers.scenarios import make_options
from tests.storage.bucket.conftest import BUCKET
from tests.storage.bucket.proxy import Fault, Proxy
from tests.storage.inputs import pictures


def options(bucket: str, **files: bool) -> Options:
    given: dict[str, Any] = {"upload_results": True, "public_results": False, "checkpoint_s": 0.0}
    given |= files
    return make_options(
        host="http://kiosk", file="a.png", files=FilesOptions(storage_bucket=bucket, **given)
    )


def request(name: str = "uploads/a.png") -> JobRequest:
    return JobRequest("segmentation", name.rpartition("/")[2], name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bucket" / "uploads").mkdir(parents=True)
    return tmp_path / "bucket"


def test_a_file_that_is_there_is_fine(folder: Path) -> None:
    (folder / "uploads" / "a.png").write_bytes(b"a")
    assert open_for(options(folder.as_uri()), [request()]) is not None


def test_a_file_that_is_missing_is_an_error_that_says_what_to_do(folder: Path) -> None:
    with pytest.raises(PreflightError, match=r"uploads/a.png is not in file://.*: upload the file"):
        open_for(options(folder.as_uri()), [request()])


def test_another_file_of_a_users_own_may_still_come(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, bucket_preflight.__name__):
        open_for(options(folder.as_uri()), [request("uploads/b.png")])
    assert "uploads/b.png is not in file://" in caplog.text


def test_without_a_bucket_nothing_is_asked_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, bucket_preflight.__name__):
        assert open_for(options(""), [request()]) is None
    assert caplog.messages == ["STORAGE_BUCKET is not set: results stay in results"]


def test_an_account_that_may_not_replace_a_checkpoint_is_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(self: FolderBucket, *, replacing: str = "", **_: str) -> None:
        if replacing == "output":
            raise NotPermitted("it is not permitted: give the account a role")

    monkeypatch.setattr(FolderBucket, "check", check)
    wanted = options(folder.as_uri())
    with caplog.at_level(logging.WARNING, bucket_preflight.__name__):
        open_for(replace(wanted, files=replace(wanted.files, checkpoint_s=0)), [])
        assert not caplog.messages
        assert open_for(replace(wanted, files=replace(wanted.files, checkpoint_s=60)), [])
    (warning,) = caplog.messages
    assert "give the account a role" in warning
    assert "--checkpoint 0 takes none" in warning


def test_a_missing_bucket_is_told(proxy: Proxy) -> None:
    with pytest.raises(PreflightError, match=r"gs://nobodys: there is no such bucket: correct ST"):
        open_for(options("gs://nobodys"), [request()])
    assert proxy.log


def test_a_bucket_that_is_not_needed_is_not_asked(proxy: Proxy) -> None:
    assert open_for(options(f"gs://{BUCKET}", upload_results=False), []) is None
    assert not proxy.log


def zip_options(bucket: str) -> Options:
    return replace(options(bucket), file="set.zip")


def test_images_per_job_is_what_is_in_the_buckets_zip(folder: Path) -> None:
    pictures.zipped(folder / "uploads" / "set.zip", 7)
    bucket = FolderBucket(folder)
    found = with_images(zip_options(folder.as_uri()), bucket)
    assert found.cost.images_per_job == 7
    given = replace(found, cost=CostOptions(images_per_job=9))
    assert with_images(given, bucket).cost.images_per_job == 9
    (folder / "uploads" / "set.zip").write_bytes(b"no ZIP")
    assert with_images(zip_options(folder.as_uri()), bucket).cost.images_per_job is None


def test_a_zip_in_a_real_bucket_is_read_where_that_is_allowed(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path
) -> None:
    path = pictures.zipped(tmp_path / "set.zip", 7)
    bucket.put(path, "uploads/set.zip")
    assert with_images(zip_options(bucket.url), bucket).cost.images_per_job == 7
    proxy.faults = [Fault("GET", "alt=media", "answer", 403, "{}", times=9)]
    assert with_images(zip_options(bucket.url), bucket).cost.images_per_job is None
    assert with_images(replace(zip_options(bucket.url), file="x.zip"), bucket).cost == CostOptions()
