"""A folder that stands in for a bucket."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.errors import BucketError, BucketMissing, NameTaken, NoSuchObject
from kiosk_locust.storage.bucket import open_bucket
from kiosk_locust.storage.bucket.folder import FolderBucket


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a bucket"


def test_a_file_goes_in_and_comes_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"content")
    bucket = open_bucket(folder.as_uri())
    bucket.check(writing="uploads/")
    assert bucket.put(tmp_path / "up", "uploads/a b.png") == f"{folder.as_uri()}/uploads/a%20b.png"
    assert (folder / "uploads" / "a b.png").read_bytes() == b"content"
    assert bucket.exists("uploads/a b.png")
    bucket.get("uploads/a b.png", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"content"
    with bucket.open("uploads/a b.png") as stream:
        stream.seek(3)
        assert stream.read() == b"tent"


def test_nothing_is_overwritten_and_the_same_again_is_done(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"one")
    (tmp_path / "two").write_bytes(b"two")
    bucket = FolderBucket(folder)
    bucket.put(tmp_path / "one", "output/a")
    bucket.put(tmp_path / "one", "output/a")
    with pytest.raises(NameTaken, match="is there already"):
        bucket.put(tmp_path / "two", "output/a")
    assert (folder / "output" / "a").read_bytes() == b"one"
    assert [path.name for path in (folder / "output").iterdir()] == ["a"]


def test_a_large_file_goes_bit_by_bit_with_turns_for_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("kiosk_locust.storage.bucket.streams.time.sleep", pauses.append)
    content = bytes(range(256)) * 20_000  # 5 MB
    (tmp_path / "up").write_bytes(content)
    bucket = FolderBucket(folder)
    bucket.put(tmp_path / "up", "a")
    assert len(pauses) >= 4
    bucket.put(tmp_path / "up", "a")
    assert len(pauses) >= 8
    bucket.get("a", tmp_path / "down")
    assert len(pauses) >= 12
    assert (tmp_path / "down").read_bytes() == content
    (tmp_path / "up").write_bytes(content[:-1] + b"x")
    with pytest.raises(NameTaken):
        bucket.put(tmp_path / "up", "a")


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a//b", "", "a/./b", "a\0b"])
def test_no_name_leads_out_of_the_folder(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "one").write_bytes(b"one")
    with pytest.raises(BucketError, match="cannot be the name"):
        FolderBucket(folder).put(tmp_path / "one", name)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    bucket = FolderBucket(folder)
    assert not bucket.exists("a")
    with pytest.raises(NoSuchObject, match="a is not in file://"):
        bucket.get("a", tmp_path / "down")
    with pytest.raises(BucketMissing, match="is no folder"):
        bucket.check(reading="uploads/")
    with pytest.raises(FileNotFoundError):
        bucket.put(tmp_path / "nothing", "a")
