"""Google's buckets: what is in one afterwards is asked of fake-gcs-server itself."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from kiosk_locust.errors import (
    BucketError,
    BucketMissing,
    BucketUnreachable,
    DamagedObject,
    NameTaken,
    NoCredentials,
    NoSuchObject,
    NotPermitted,
)
from kiosk_locust.storage.bucket.gcs import GoogleBucket
from kiosk_locust.storage.bucket.resumable_upload import PIECE
from tests.storage.bucket.conftest import BUCKET
from tests.storage.bucket.proxy import Fault, Proxy

LARGE = 2 * PIECE + 1_234_567
SMALL = 300_000


def make(path: Path, size: int) -> Path:
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def stored(fake_gcs: str, name: str) -> bytes:
    where = f"{fake_gcs}/download/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}?alt=media"
    answer = requests.get(where, timeout=10)
    answer.raise_for_status()
    return answer.content


@pytest.mark.parametrize("size", [0, 1, SMALL, LARGE])
def test_a_file_arrives_as_it_is(
    bucket: GoogleBucket, fake_gcs: str, tmp_path: Path, name: str, size: int
) -> None:
    path = make(tmp_path / "file", size)
    assert bucket.put(path, name) == f"gs://{BUCKET}/{name}"
    assert (
        hashlib.sha256(stored(fake_gcs, name)).digest()
        == hashlib.sha256(path.read_bytes()).digest()
    )
    assert bucket.exists(name)


@pytest.mark.parametrize("size", [9, LARGE])
@pytest.mark.parametrize(
    ("ending", "kind"),
    [("html", "text/html"), ("json", "application/json"), ("db.gz", "application/octet-stream")],
)
def test_a_report_is_stored_as_what_browsers_show(
    bucket: GoogleBucket, fake_gcs: str, tmp_path: Path, name: str, size: int, ending: str,
    kind: str,
) -> None:  # fmt: skip
    name = f"{name}.{ending}"
    bucket.put(make(tmp_path / "file", size), name)
    where = f"{fake_gcs}/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}"
    said = requests.get(where, timeout=10).json()
    assert said["contentType"] == kind
    assert "contentEncoding" not in said  # a ledger is not to be unpacked on its way


def test_what_is_not_there_does_not_exist(bucket: GoogleBucket, tmp_path: Path) -> None:
    assert not bucket.exists("uploads/nothing")
    with pytest.raises(NoSuchObject, match=r"uploads/nothing is not in gs://our-kiosk"):
        bucket.get("uploads/nothing", tmp_path / "x")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_somebody_elses_file_is_never_overwritten(
    bucket: GoogleBucket, fake_gcs: str, tmp_path: Path, name: str, size: int
) -> None:
    bucket.put(make(tmp_path / "theirs", 10), name)
    with pytest.raises(NameTaken, match="is there already"):
        bucket.put(make(tmp_path / "ours", size), name)
    assert stored(fake_gcs, name) == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_same_file_may_be_uploaded_again(
    bucket: GoogleBucket, tmp_path: Path, name: str, size: int
) -> None:
    path = make(tmp_path / "file", size)
    assert bucket.put(path, name) == bucket.put(path, name)


def test_an_upload_goes_on_from_where_it_broke_off(
    bucket: GoogleBucket, proxy: Proxy, fake_gcs: str, tmp_path: Path, name: str
) -> None:
    proxy.faults = [Fault("PUT", f"bytes {PIECE}-", "cut", after=3_000_000)]
    path = make(tmp_path / "file", LARGE)
    bucket.put(path, name)
    assert stored(fake_gcs, name) == path.read_bytes()
    kept = PIECE + (3_000_000 >> 18 << 18)
    spans = [re.sub(r".*bytes ", "", line) for line in proxy.sent("PUT")]
    assert spans == [
        f"0-{PIECE - 1}/{LARGE}",
        f"{PIECE}-{2 * PIECE - 1}/{LARGE}",
        f"*/{LARGE}",
        f"{kept}-{LARGE - 1}/{LARGE}",
    ]


def test_a_503_in_the_middle_costs_a_moment(
    bucket: GoogleBucket, proxy: Proxy, fake_gcs: str, tmp_path: Path, name: str
) -> None:
    proxy.faults = [Fault("PUT", f"bytes {PIECE}-", "answer", 503)]
    path = make(tmp_path / "file", LARGE)
    bucket.put(path, name)
    assert stored(fake_gcs, name) == path.read_bytes()


@pytest.mark.parametrize(
    ("size", "fault"),
    [
        (LARGE, Fault("PUT", f"-{LARGE - 1}/", "lose")),
        (SMALL, Fault("POST", "uploadType=multipart", "lose")),
    ],
    ids=["in pieces", "whole"],
)
def test_an_upload_whose_last_answer_is_lost_is_done(
    bucket: GoogleBucket,
    proxy: Proxy,
    fake_gcs: str,
    tmp_path: Path,
    name: str,
    size: int,
    fault: Fault,
) -> None:
    fault.times = 1
    proxy.faults = [fault]
    path = make(tmp_path / "file", size)
    bucket.put(path, name)
    assert stored(fake_gcs, name) == path.read_bytes()
    assert not fault.times


def test_an_upload_that_the_bucket_forgot_begins_anew(
    bucket: GoogleBucket, proxy: Proxy, fake_gcs: str, tmp_path: Path, name: str
) -> None:
    proxy.faults = [Fault("PUT", f"bytes {PIECE}-", "answer", 410)]
    path = make(tmp_path / "file", LARGE)
    bucket.put(path, name)
    assert stored(fake_gcs, name) == path.read_bytes()
    assert len(proxy.sent("POST", "uploadType=resumable")) == 2


@pytest.mark.parametrize(
    ("size", "words"), [(SMALL, "uploadType=multipart"), (LARGE, f"bytes {PIECE}-")]
)
def test_damage_on_the_way_is_found_and_deleted(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str, size: int, words: str
) -> None:
    path = make(tmp_path / "file", size)
    proxy.faults = [Fault("PUT" if size == LARGE else "POST", words, "damage")]
    with pytest.raises(DamagedObject, match="checksum"):
        bucket.put(path, name)
    assert not bucket.exists(name)


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (403, NotPermitted, "not permitted .*: give the account"),
        (401, NoCredentials, "GOOGLE_APPLICATION_CREDENTIALS"),
        (404, BucketMissing, "there is no such bucket: correct STORAGE_BUCKET"),
        (503, BucketUnreachable, "fault .503"),
        (400, BucketError, "says 400"),
        (400.5, DamagedObject, "was damaged on its way"),
    ],
)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_refusals_say_what_to_do(
    bucket: GoogleBucket,
    proxy: Proxy,
    tmp_path: Path,
    name: str,
    size: int,
    status: float,
    expected: type[BucketError],
    words: str,
) -> None:
    body = (
        '{"error": {"message": "The specified bucket does not exist. See http://x/?upload_id=1"}}'
    )
    if status == 400.5:
        body = '{"error": {"message": "Provided CRC32C \\"x\\" does not match the calculated one"}}'
    proxy.faults = [Fault("POST", "/upload/", "answer", int(status), body, times=100)]
    with pytest.raises(expected, match=words) as caught:
        bucket.put(make(tmp_path / "file", size), name)
    assert "upload_id" not in str(caught.value)
    assert type(caught.value) is expected


def test_a_bucket_that_stays_away_is_given_up_in_time(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str
) -> None:
    proxy.faults = [Fault("PUT", "", "cut", after=0, times=1000)]
    with pytest.raises(BucketUnreachable, match=rf"0 of {LARGE:,} bytes had got through") as caught:
        bucket.put(make(tmp_path / "file", LARGE), name)
    assert "upload_id" not in str(caught.value)


def test_nobody_at_the_address_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    bucket = GoogleBucket(BUCKET, patience_s=0.5)
    for ask in (
        bucket.check,
        lambda: bucket.exists("a"),
        lambda: bucket.put(make(tmp_path / "f", 9), "a"),
    ):
        with pytest.raises(BucketUnreachable, match="cannot be reached"):
            ask()
    with pytest.raises(BucketUnreachable, match="start the emulator that STORAGE_EMULATOR_HOST"):
        bucket.check()


def test_a_bucket_that_is_missing_is_found_before_the_run(proxy: Proxy) -> None:
    with pytest.raises(BucketMissing, match=r"gs://nobodys: there is no such bucket: correct STOR"):
        GoogleBucket("nobodys").check(reading="uploads/", writing="output/")
    assert proxy.log


UNIFORM = (
    "Cannot insert legacy ACL for an object when uniform bucket-level access is enabled. Read more"
    " at https://cloud.google.com/x"
)
PREVENTED = "allUsers is not allowed since public access prevention is enforced."


@pytest.mark.parametrize(("status", "words"), [(400, UNIFORM), (412, PREVENTED)])
def test_a_bucket_that_refuses_acls_gets_private_results_and_a_warning(
    bucket: GoogleBucket,
    proxy: Proxy,
    fake_gcs: str,
    tmp_path: Path,
    name: str,
    caplog: pytest.LogCaptureFixture,
    status: int,
    words: str,
) -> None:
    body = json.dumps({"error": {"message": words}})
    proxy.faults = [Fault("POST", "predefinedAcl=publicRead", "answer", status, body, times=9)]
    with caplog.at_level(logging.WARNING, "kiosk_locust"):
        bucket.put(make(tmp_path / "a", SMALL), name, public=True)
        bucket.put(make(tmp_path / "b", SMALL + 1), f"{name}2", public=True)
    assert stored(fake_gcs, name) == (tmp_path / "a").read_bytes()
    (warning,) = caplog.messages
    assert "PUBLIC_RESULTS has no effect" in warning


def test_results_are_private_unless_asked_otherwise(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str
) -> None:
    bucket.put(make(tmp_path / "a", SMALL), name)
    bucket.put(make(tmp_path / "b", LARGE), f"{name}2", public=True)
    uploads = proxy.sent("POST", "/upload/")
    assert ["predefinedAcl=publicRead" in line for line in uploads] == [False, True]
    assert all("ifGenerationMatch=0" in line for line in uploads)


@pytest.mark.parametrize("size", [0, SMALL, LARGE])
def test_a_download_is_the_object(
    bucket: GoogleBucket, tmp_path: Path, name: str, size: int
) -> None:
    bucket.put(make(tmp_path / "up", size), name)
    bucket.get(name, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["down", "up"]


def test_a_download_goes_on_with_the_part_that_is_there(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str
) -> None:
    up = make(tmp_path / "up", LARGE)
    bucket.put(up, name)
    (tmp_path / "down.part").write_bytes(up.read_bytes()[: LARGE - 1000])
    bucket.get(name, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == up.read_bytes()
    assert len(proxy.sent("GET", "/download/")) == 1


def test_a_part_of_something_else_is_thrown_away(
    bucket: GoogleBucket, tmp_path: Path, name: str
) -> None:
    up = make(tmp_path / "up", SMALL)
    bucket.put(up, name)
    (tmp_path / "down.part").write_bytes(b"of something else")
    bucket.get(name, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == up.read_bytes()


def test_a_download_that_is_cut_goes_on(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str
) -> None:
    up = make(tmp_path / "up", SMALL)
    bucket.put(up, name)
    proxy.faults = [
        Fault("GET", "/download/", "cut", after=1000),
        Fault("GET", "/download/", "answer", 503),
    ]
    bucket.get(name, tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == up.read_bytes()


def test_parts_of_an_object_can_be_read(bucket: GoogleBucket, tmp_path: Path, name: str) -> None:
    up = make(tmp_path / "up", LARGE)
    bucket.put(up, name)
    with bucket.open(name) as stream:
        stream.seek(-100, 2)
        assert stream.read() == up.read_bytes()[-100:]
        stream.seek(5)
        assert stream.read(7) == up.read_bytes()[5:12]
