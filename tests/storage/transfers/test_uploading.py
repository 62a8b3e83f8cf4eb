"""Straight into the bucket: one object for each upload, under a name that nothing else has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kiosk_locust.errors import InputError
from kiosk_locust.storage.bucket.folder import FolderBucket
from kiosk_locust.storage.inputs.finding import find
from kiosk_locust.storage.transfers.input_facts import facts, from_facts
from kiosk_locust.storage.transfers.uploading import BucketUploader
from tests.helpers.clocks import ManualClock
from tests.helpers.scenarios import make_options, make_record
from tests.storage.inputs import pictures


def uploader(folder: Path) -> BucketUploader:
    found = find(folder / "in")
    options = replace(make_options().transfers, upload=True, root=found.root, inputs=found.files)
    return BucketUploader(FolderBucket(folder / "bucket"), options, "uploads", ManualClock())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    pictures.png(tmp_path / "in" / "a.png")
    pictures.zipped(tmp_path / "in" / "b.zip")
    return tmp_path


def test_each_upload_is_an_object_of_its_own_with_the_files_content(folder: Path) -> None:
    made = uploader(folder)
    uploads = [
        made.upload(make_record(number, file=name), lambda: True)
        for number, name in ((0, "a.png"), (1, "b.zip"), (0, "a.png"))
    ]
    assert len({upload.name for upload in uploads}) == 3
    for upload, name in zip(uploads, ("a.png", "b.zip", "a.png"), strict=True):
        content = (folder / "in" / name).read_bytes()
        assert upload.name.startswith("uploads/")
        assert Path(upload.name).suffix == Path(name).suffix
        assert (folder / "bucket" / upload.name).read_bytes() == content
        assert upload.size == len(content)


def test_a_file_that_changed_is_not_uploaded(folder: Path) -> None:
    made = uploader(folder)
    (folder / "in" / "a.png").write_bytes(b"other")
    with pytest.raises(InputError, match="5 bytes, and had"):
        made.upload(make_record(0, file="a.png"), lambda: True)
    assert not (folder / "bucket").exists()


def test_a_worker_must_have_the_files_that_are_left_as_they_were_planned(folder: Path) -> None:
    found = find(folder / "in")
    bare = replace(make_options().transfers, upload=True, root=found.root)
    told = facts(replace(bare, inputs=found.files), {0})
    (folder / "in" / "a.png").unlink()
    assert from_facts(bare, told).inputs == found.files  # nobody needs the first any more
    (folder / "in" / "b.zip").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"1 of 2 files .*b\.zip \(7 bytes; "):
        from_facts(bare, told)
