"""What is asked of the bucket before the first job."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kiosk_locust import bucket_preflight
from kiosk_locust.bucket_preflight import open_for
from kiosk_locust.errors import PreflightError
from kiosk_locust.options import FilesOptions, Options
from kiosk_locust.record import JobRequest
from tests.bucket.conftest import BUCKET
from tests.bucket.proxy import Proxy
from tests.scenarios import make_options


def options(bucket: str, **files: bool) -> Options:
    given = {"upload_results": True, "public_results": False} | files
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


def test_a_missing_bucket_is_told(proxy: Proxy) -> None:
    with pytest.raises(PreflightError, match=r"gs://nobodys: there is no such bucket: correct ST"):
        open_for(options("gs://nobodys"), [request()])
    assert proxy.log


def test_a_bucket_that_is_not_needed_is_not_asked(proxy: Proxy) -> None:
    assert open_for(options(f"gs://{BUCKET}", upload_results=False), []) is None
    assert not proxy.log
