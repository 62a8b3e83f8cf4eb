"""FILE in the forms in which people write it, and what the Kiosk is then sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.layered import mistakes, resolve
from tests.helpers.real import run_locust, simulator

REAL = {"API_HOST": "kiosk", "STORAGE_BUCKET": "gs://my-kiosk"}


@pytest.mark.parametrize(
    "file",
    [
        "a.png",
        "uploads/a.png",
        "gs://my-kiosk/uploads/a.png",
        "https://storage.googleapis.com/my-kiosk/uploads/a.png",
    ],
)
def test_each_form_of_a_files_address_is_the_same_file(file: str) -> None:
    found = resolve(env=REAL | {"FILE": file})
    assert (found.options.file, found.options.upload_prefix) == ("a.png", "uploads")
    told = [line for line in found.notices if line.startswith("FILE =")]
    assert told == (
        []
        if file == "a.png"
        else [f"FILE = {file}: the file a.png in UPLOAD_PREFIX (uploads) is meant"]
    )


@pytest.mark.parametrize(
    ("prefix", "file", "name"),
    [
        ("in/here", "in/here/b/a.png", "b/a.png"),
        ("in/here/", "gs://my-kiosk/in/here/a.png", "a.png"),
        ("uploads", "uploads/uploads/a.png", "uploads/a.png"),  # a folder of that name in it
        ("uploads", "uploads2/a.png", "uploads2/a.png"),
        ("/", "gs://my-kiosk/uploads/a.png", "uploads/a.png"),
        ("/", "uploads/a.png", "uploads/a.png"),
    ],
)
def test_the_prefix_is_taken_off_once_and_only_where_it_is_whole(
    prefix: str, file: str, name: str
) -> None:
    assert resolve(env=REAL | {"FILE": file, "UPLOAD_PREFIX": prefix}).options.file == name


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("gs://other/uploads/a.png", "is in another bucket than STORAGE_BUCKET (gs://my-kiosk)"),
        ("gs://my-kiosk/in/a.png", "is not in UPLOAD_PREFIX (uploads): set UPLOAD_PREFIX=in"),
        ("gs://my-kiosk/uploads/", "must be the name of a file in the upload folder"),
        ("uploads/", "must be the name of a file in the upload folder"),
        ("https://example.org/a.png", "must be the name of a file in the upload folder"),
    ],
)
def test_what_the_kiosk_could_not_read_is_refused_with_what_to_do(file: str, said: str) -> None:
    (mistake,) = mistakes(env=REAL | {"FILE": file})
    assert mistake.startswith(f"FILE in the environment = {file!r}: ")
    assert said in mistake


def test_a_bucket_is_no_part_of_the_upload_prefix() -> None:
    (mistake,) = mistakes(env=REAL | {"FILE": "a.png", "UPLOAD_PREFIX": "gs://my-kiosk/uploads"})
    assert "must be a folder in the bucket, such as uploads, without the bucket" in mistake


def test_the_kiosk_is_sent_the_prefix_once(tmp_path: Path) -> None:
    with simulator() as kiosk:
        address = "gs://my-kiosk/uploads/image.png"
        left = run_locust(tmp_path, "-u", "1", host=kiosk.url, FILE=address)
        (sent,) = kiosk.submissions
    assert left.code == 0, left.output
    body = sent["body"] if isinstance(sent["body"], dict) else json.loads(sent["body"])
    assert (body["uploadedName"], body["imageName"]) == ("uploads/image.png", "image.png")
    assert f"FILE = {address}: the file image.png" in left.output
