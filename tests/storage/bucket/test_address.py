"""Addresses of buckets and of objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.storage.bucket.address import Address, split_object
from tests.helpers.layered import mistakes, resolve


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("gs://my-kiosk", Address("my-kiosk")),
        ("my-kiosk", Address("my-kiosk")),
        ("gs://my-kiosk/", Address("my-kiosk")),
        (" my_kiosk.example.org ", Address("my_kiosk.example.org")),
        ("gs://my-kiosk/a/b/", Address("my-kiosk", prefix="a/b")),
        ("my-kiosk/a", Address("my-kiosk", prefix="a")),
        ("file:///tmp/a%20b", Address(folder=Path("/tmp/a b"))),
    ],
)
def test_a_bucket_can_be_written_in_these_ways(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("gs://", "My-Kiosk", "a", "s3://bucket", "http://bucket", "gs://a/b", "gs://kiosk/../up"),
        *("file://host/folder", "file:///", "file://", "gs://kiosk//a//b", "two words", "-kiosk"),
    ],
)
def test_what_is_no_bucket_is_a_mistake_that_says_what_would_be_right(text: str) -> None:
    found = mistakes(cli={"--host": "kiosk", "--file": "a.png", "--storage-bucket": text})
    assert len(found) == 1
    assert found[0].startswith("--storage-bucket = ")
    assert "gs://NAME" in found[0]


def test_results_go_to_output_below_the_prefix() -> None:
    assert Address.parse("gs://kiosk").results("a.json") == "output/a.json"
    assert Address.parse("gs://kiosk/x/y").results("a.json") == "x/y/output/a.json"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("gs://kiosk/output/a b.zip", ("kiosk", "output/a b.zip")),
        ("https://storage.googleapis.com/kiosk/output/a%20b.zip", ("kiosk", "output/a b.zip")),
        ("https://kiosk.storage.googleapis.com/output/a.zip", ("kiosk", "output/a.zip")),
        ("https://storage.cloud.google.com/kiosk/a", ("kiosk", "a")),
        ("https://example.org/kiosk/a", None),
        ("gs://kiosk", None),
        ("gs://kiosk/", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_an_objects_address_tells_bucket_and_name(
    url: str, expected: tuple[str, str] | None
) -> None:
    found = split_object(url)
    assert (found and (found[0].name, found[1])) == expected


def test_a_simulated_run_has_a_bucket_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    resolved = resolve(cli={"--simulate": "true"}, env={"STORAGE_BUCKET": "gs://real"})
    folder = tmp_path / "results" / "simulated_bucket"
    assert resolved.options.files.storage_bucket == folder.as_uri()
    assert any("gs://real" in line and "left alone" in line for line in resolved.notices)


def test_either_name_leaves_results_where_they_are() -> None:
    host = {"API_HOST": "kiosk", "FILE": "a.png"}
    assert resolve(env=host).options.files.upload_results
    assert not resolve(env=host | {"UPLOAD_RESULTS": "no"}).options.files.upload_results
    flag = {"--no-upload-results": "true"}
    assert not resolve(env=host, cli=flag).options.files.upload_results
