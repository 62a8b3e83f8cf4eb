"""Objects that are replaced: over the generation that one knows, and never over another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk_locust.errors import NameTaken
from kiosk_locust.storage.bucket import Bucket
from kiosk_locust.storage.bucket.folder import FolderBucket
from kiosk_locust.storage.bucket.gcs import SMALL, GoogleBucket
from tests.storage.bucket.proxy import Fault, Proxy


@pytest.fixture(params=["folder", "google"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    if request.param == "folder":
        yield FolderBucket(tmp_path / "bucket")
    else:
        yield request.getfixturevalue("bucket")


def content(bucket: Bucket, name: str) -> bytes:
    with bucket.open(name) as stream:
        return stream.read()


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_an_object_is_replaced_over_the_generation_that_is_known(
    either: Bucket, tmp_path: Path, name: str, size: int
) -> None:
    file = tmp_path / "file"
    name = f"{name}.{size}"
    assert either.generation(name) == 0
    generations = [0]
    for number in range(3):
        file.write_bytes(bytes([number]) * size)
        generations.append(either.replace(file, name, generations[-1]))
        assert either.generation(name) == generations[-1]
        assert content(either, name) == file.read_bytes()
    assert len(set(generations)) == 4


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_what_somebody_else_wrote_is_never_overwritten(
    either: Bucket, tmp_path: Path, name: str, size: int
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"o" * size)
    theirs.write_bytes(b"t" * size)
    name = f"{name}.{size}"
    first = either.replace(ours, name, 0)
    either.replace(theirs, name, first)
    ours.write_bytes(b"O" * size)
    for known in (0, first):
        with pytest.raises(NameTaken):
            either.replace(ours, name, known)
    assert content(either, name) == theirs.read_bytes()


def test_a_replacement_whose_answer_is_lost_is_done(
    bucket: GoogleBucket, proxy: Proxy, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"first")
    known = bucket.replace(file, name, 0)
    file.write_bytes(b"second")
    proxy.faults = [Fault("POST", "uploadType=multipart", "lose")]
    generation = bucket.replace(file, name, known)
    assert generation == bucket.generation(name) != known
    assert content(bucket, name) == b"second"


def test_an_object_is_removed_only_as_the_version_it_was(
    either: Bucket, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "file"
    path.write_text("first")
    either.put(path, name)
    first = either.generation(name)
    path.write_text("second")
    second = either.replace(path, name, first)
    if isinstance(either, FolderBucket):  # fake-gcs-server deletes without a look at generations
        with pytest.raises(NameTaken):
            either.remove(name, first)
    assert either.exists(name)
    either.remove(name, second)
    assert not either.exists(name)
    either.remove(name, second)  # what is gone already is well


def test_the_size_of_an_object_is_told_before_it_is_fetched(
    either: Bucket, tmp_path: Path, name: str
) -> None:
    assert either.size(name) == 0
    (file := tmp_path / "file").write_bytes(b"seven!!")
    either.replace(file, name, 0)
    assert either.size(name) == 7
