"""STORAGE_EMULATOR_HOST as people write it; what arrived is asked of fake-gcs-server itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from kiosk_locust.errors import BucketError
from kiosk_locust.storage.bucket.emulator import emulator_url
from kiosk_locust.storage.bucket.gcs import GoogleBucket
from kiosk_locust.storage.bucket.resumable_upload import PIECE
from tests.storage.bucket.conftest import BUCKET

FORMS = ("{}", "http://{}", "http://{}/", "{}/", "//{}", "http://{}/storage/v1/", " {}")


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))  # names stand in the objects
def test_a_file_arrives_however_the_emulator_is_named(
    fake_gcs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, form: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", form.format(fake_gcs.removeprefix("http://")))
    bucket = GoogleBucket(BUCKET, patience_s=3)
    try:
        bucket.check(reading=name)
        for size in (9, 2 * PIECE):  # in one request, and in pieces
            path = tmp_path / "file"
            path.write_bytes(bytes(size))
            bucket.put(path, f"{name}_{size}")
    finally:
        bucket.close()
    listed = requests.get(
        f"{fake_gcs}/storage/v1/b/{BUCKET}/o", params={"prefix": f"{name}_"}, timeout=10
    ).json()["items"]
    assert sorted(int(item["size"]) for item in listed) == [9, 2 * PIECE]


@pytest.mark.parametrize("text", ["gs://my-kiosk", "http://", "localhost:port", "a b:1"])
def test_what_is_no_address_is_told_with_the_form_that_is_right(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", text)
    with pytest.raises(BucketError, match="STORAGE_EMULATOR_HOST cannot be used: it must be HOST"):
        emulator_url()
