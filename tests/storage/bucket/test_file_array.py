"""FILE in the bucket is looked at, so that its form fits it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from kiosk_locust.assembly.bucket_preflight import with_array
from kiosk_locust.model.options import FilesOptions, Options
from kiosk_locust.model.record import JobRequest, Ticket
from kiosk_locust.plugin.user import finished
from kiosk_locust.storage.bucket.folder import FolderBucket
from tests.consumer.test_archive import raw_zip
from tests.helpers.scenarios import make_options


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    uploads = tmp_path / "bucket" / "uploads"
    uploads.mkdir(parents=True)
    tifffile.imwrite(uploads / "grey.tif", np.zeros((20, 30), np.uint8))
    image = (uploads / "grey.tif").read_bytes()
    (uploads / "set.zip").write_bytes(raw_zip(["a.tif", "b.tif"], image))
    (uploads / "text.tif").write_bytes(b"remember the milk")
    return FolderBucket(tmp_path / "bucket")


def asking(file: str, order: str = "auto") -> Options:
    files = FilesOptions(
        storage_bucket="x", upload_results=True, public_results=False, checkpoint_s=0.0
    )
    return replace(make_options(host="http://kiosk", file=file, files=files), dimension_order=order)


def sent(options: Options, file: str) -> str:
    ticket = Ticket(1, 1, 0, None, options.file)
    request = JobRequest("segmentation", file, f"uploads/{file}")
    return finished(
        replace(request, dimension_order=options.dimension_order), options, ticket
    ).dimension_order


@pytest.mark.parametrize("file", ["grey.tif", "set.zip"])
def test_plain_tiffs_in_the_bucket_are_sent_with_two_axes(file: str, bucket: FolderBucket) -> None:
    assert sent(asking(file), file) == "XYB"
    found = with_array(asking(file), bucket)
    assert found.file_array == "tifffile YX 20,30"
    assert sent(found, file) == "XY"
    assert sent(found, "another.png") == "XYC"  # a user class may ask for other files


def test_an_order_that_was_set_stays(bucket: FolderBucket) -> None:
    assert with_array(asking("grey.tif", "CXY"), bucket) == asking("grey.tif", "CXY")


@pytest.mark.parametrize("file", ["text.tif", "nowhere.tif"])
def test_what_cannot_be_read_is_told_with_what_may_fail(
    file: str, bucket: FolderBucket, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert with_array(asking(file), bucket) == asking(file)
    assert f"{file} cannot be looked at from here, so XYB is sent" in caplog.text
