"""Facts as a hostile master sends them, and what a worker reads, writes and sends by them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.errors import BucketError, InputError, KioskLocustError, PreflightError
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.options import FilesOptions, Options
from kiosk_locust.storage.bucket.folder import FolderBucket
from kiosk_locust.storage.inputs.finding import find
from kiosk_locust.storage.transfers.input_facts import INPUTS, facts
from kiosk_locust.storage.transfers.movers import results_folder
from kiosk_locust.storage.transfers.uploading import BucketUploader
from tests.helpers.clocks import ManualClock
from tests.helpers.layered import make_layers
from tests.helpers.scenarios import make_options, make_record
from tests.storage.inputs import pictures


class Place:
    """A worker's working folder, and another folder that has an image, a text and a link."""

    def __init__(self, folder: Path) -> None:
        self.work, self.other, self.store = (folder / name for name in ("work", "other", "store"))
        for where in (self.work, self.other):
            where.mkdir()
            pictures.png(where / "a.png")
            (where / "secret.txt").write_text("text of nobody else")
            (where / "secret.png").write_text("text of nobody else")

    def uploaded(
        self,
        root: Path,
        *paths: str,
        run_name: str = "run",
        moved: Mapping[str, Any] | None = None,
        own: Mapping[str, str] | None = None,
    ) -> list[bytes]:
        """The contents that were sent where a master names these files; raises as a worker does."""
        files = tuple(InputFile(path, (root / path).stat().st_size, Kind.PNG, 1) for path in paths)
        options = make_options()
        transfers = replace(
            options.transfers, upload=True, root=str(root), inputs=files, **(moved or {})
        )
        limits = WorkerLimits(make_layers(env=own or {}))
        sent = facts(transfers, ()) | {"run_name": run_name}
        options = limits.applied(replace(options, transfers=replace(transfers, inputs=())), sent)
        inner = BucketUploader(FolderBucket(self.store), options.transfers, "up", ManualClock())
        uploader = limits.guarded(inner, options.transfers)
        assert uploader is not None
        for number, path in enumerate(paths):
            uploader.upload(make_record(number, file=path), lambda: True)
        return self.sent

    @property
    def sent(self) -> list[bytes]:
        return [path.read_bytes() for path in self.store.rglob("*") if path.is_file()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.chdir(made.work)
    return made


def test_an_image_of_the_working_folder_is_uploaded(place: Place) -> None:
    assert place.uploaded(place.work, "a.png") == [(place.work / "a.png").read_bytes()]


def test_no_file_elsewhere_is_uploaded_where_the_master_alone_names_it(place: Place) -> None:
    with pytest.raises(InputError, match=r"not in this worker's working folder: set FILE"):
        place.uploaded(place.other, "a.png")
    assert place.sent == []


@pytest.mark.parametrize("name", ["FILE", "FORM_FILES"])
def test_a_folder_that_the_workers_operator_names_is_uploaded_from(place: Place, name: str) -> None:
    content = (place.other / "a.png").read_bytes()
    assert place.uploaded(place.other, "a.png", own={name: str(place.other)}) == [content]


def test_the_workers_own_folder_counts_in_the_place_of_its_masters(place: Place) -> None:
    content = (place.work / "a.png").read_bytes()
    theirs, own = content + b"theirs", content + b"worker"
    (place.work / "a.png").write_bytes(theirs)
    (place.other / "a.png").write_bytes(own)
    assert place.uploaded(place.work, "a.png", own={"FILE": str(place.other)}) == [own]


def test_of_a_worker_whose_file_is_one_no_other_is_uploaded(place: Place) -> None:
    own = {"FILE": str(place.other / "a.png")}
    pictures.png(place.other / "b.png")
    with pytest.raises(InputError, match=r"'b\.png' uploaded, which is not FILE, a\.png"):
        place.uploaded(place.other, "b.png", own=own)
    assert place.sent == []
    assert place.uploaded(place.other, "a.png", own=own) == [(place.other / "a.png").read_bytes()]


@pytest.mark.parametrize("path", ["../other/a.png", "/etc/passwd", ".hidden/a.png"])
def test_a_path_that_leads_out_or_is_hidden_is_refused_before_it_is_looked_at(
    place: Place, path: str
) -> None:
    (place.work / ".hidden").mkdir()
    pictures.png(place.work / ".hidden" / "a.png")
    with pytest.raises(InputError, match=r"is no path below FILE|is hidden"):
        place.uploaded(place.work, path)
    assert place.sent == []


def test_paths_are_looked_at_though_the_master_uploads_nothing(place: Place) -> None:
    options = make_options()
    assert not options.transfers.upload
    sent = {"run_name": "r", INPUTS: json.dumps([["../other/a.png", 1, "PNG", 1, ""]])}
    with pytest.raises(InputError, match="no path below FILE"):
        WorkerLimits(make_layers()).applied(
            replace(options, transfers=replace(options.transfers, root=str(place.work))), sent
        )


@pytest.mark.parametrize("path", ["secret.txt", "secret.png"])
def test_a_text_is_not_uploaded_whatever_the_master_says_that_it_is(
    place: Place, path: str
) -> None:
    with pytest.raises(InputError, match="it is not uploaded"):
        place.uploaded(place.work, path)
    assert place.sent == []


@pytest.mark.parametrize("path", ["link.png", "folder/a.png"])
def test_a_link_that_leads_out_is_not_followed(place: Place, path: str) -> None:
    (place.work / "link.png").symlink_to(place.other / "a.png")
    (place.work / "folder").symlink_to(place.other)
    with pytest.raises(InputError, match="link that leads out"):
        place.uploaded(place.work, path)
    assert place.sent == []


@pytest.mark.parametrize("moved", [{"input_checks": "none"}, {"follow_symlinks": True}])
def test_a_master_alone_cannot_have_less_looked_at(place: Place, moved: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="counts on a worker only where it is set there, too"):
        place.uploaded(place.work, "secret.png", moved=moved)
    assert place.sent == []


def test_a_file_that_becomes_another_after_its_upload_is_looked_at_again(place: Place) -> None:
    found = find(place.work / "a.png")
    options = make_options()
    moved = replace(options.transfers, upload=True, root=found.root, inputs=found.files)
    limits = WorkerLimits(make_layers())
    inner = BucketUploader(FolderBucket(place.store), moved, "up", ManualClock())
    uploader = limits.guarded(inner, moved)
    assert uploader is not None
    record = make_record(0, file="a.png")
    for _ in range(2):
        uploader.upload(record, lambda: True)
    assert len(place.sent) == 2
    (place.work / "a.png").write_bytes(b"x" * found.files[0].size)
    with pytest.raises(InputError, match="it is not uploaded"):
        uploader.upload(record, lambda: True)
    assert len(place.sent) == 2


# -- where results go


def results_of(output_dir: Path | str, run_name: str = "run", **own: str) -> Path:
    """The folder that a worker downloads into by such facts; raises as a worker does."""
    options = make_options(output_dir=Path(output_dir))
    options = replace(options, transfers=replace(options.transfers, download=True))
    options = WorkerLimits(make_layers(env=own)).applied(options, {"run_name": run_name})
    return results_folder(options.output_dir, run_name)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/x", "..", ".", "x\0y"])
def test_a_run_whose_name_is_that_of_no_file_does_not_begin(place: Place, name: str) -> None:
    with pytest.raises(PreflightError, match="the master's name of the run is that of no file"):
        results_of("results", name)
    with pytest.raises(PreflightError):
        place.uploaded(place.work, "a.png", run_name=name)
    assert place.sent == []


def test_results_go_below_the_working_folder_as_the_master_says(place: Place) -> None:
    assert results_of("results").resolve() == place.work / "results" / "run_results"


def test_the_workers_own_output_dir_counts(place: Place) -> None:
    own = str(place.other / "mine")
    assert results_of("/elsewhere", OUTPUT_DIR=own) == place.other / "mine" / "run_results"


@pytest.mark.parametrize("folder", ["../other", "link", "results/../../other"])
def test_results_go_nowhere_else_by_the_masters_word(place: Place, folder: str) -> None:
    (place.work / "link").symlink_to(place.other)
    with pytest.raises(PreflightError, match=r"set OUTPUT_DIR \(--output-dir\) on the worker"):
        results_of(folder)


def test_a_worker_that_is_to_go_on_with_a_ledger_writes_beside_it(place: Place) -> None:
    path = str(place.other / "run.db")
    assert results_of(place.other, RESUME=path) == place.other / "run_results"


# -- which bucket


def bucket_of(theirs: str, **own: str) -> Options:
    options = make_options(
        files=FilesOptions(theirs, upload_results=True, public_results=False, checkpoint_s=0.0)
    )
    moved = replace(options.transfers, upload=True, upload_via="bucket", root=os.getcwd())
    return WorkerLimits(make_layers(env=own)).applied(
        replace(options, transfers=moved), {"run_name": "run"}
    )


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("own", [{}, {"STORAGE_BUCKET": "gs://another"}])
def test_nothing_goes_to_a_bucket_that_the_master_alone_names(own: dict[str, str]) -> None:
    with pytest.raises(BucketError, match=r"set STORAGE_BUCKET \(--storage-bucket\) on the worker"):
        bucket_of("gs://the-masters", **own)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("own", ["gs://kiosk", "kiosk", "gs://kiosk/prefix"])
def test_a_bucket_that_the_workers_operator_names_is_uploaded_to(own: str) -> None:
    assert bucket_of("gs://kiosk", STORAGE_BUCKET=own).files.storage_bucket == "gs://kiosk"


def test_a_folder_elsewhere_is_no_bucket_of_a_worker(place: Place) -> None:
    with pytest.raises(KioskLocustError, match="STORAGE_BUCKET"):
        bucket_of((place.other / "bucket").as_uri())
    bucket_of((place.work / "results" / "simulated_bucket").as_uri())
    bucket_of((place.other / "bucket").as_uri(), OUTPUT_DIR=str(place.other))
