"""Files to upload that are anything: images, ZIPs of images, or words on what else they are."""

from __future__ import annotations

import io
import os
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.ledger.rescue import load
from kiosk_locust.storage.inputs.finding import find
from kiosk_locust.storage.inputs.kinds import NoInput, images_in_zip, inspect_file
from tests.fuzz.strange import HOSTILE, changed, fuzz, refused_by
from tests.storage.inputs import pictures
from tests.storage.inputs.corpus import zipped

#: Bytes that no file's name can have.
NO_PATH = bytes.maketrans(b"/\0", b"__")


def written(name: str) -> bytes:
    """What an imaging library writes."""
    with tempfile.TemporaryDirectory() as folder:
        write = {"a.png": pictures.png, "a.tif": pictures.tiff, "a.jpg": pictures.jpeg}[name]
        return write(Path(folder, name)).read_bytes()


IMAGES = {name: written(name) for name in ("a.png", "a.tif", "a.jpg")}


ZIP = zipped(IMAGES)
SOME = [*IMAGES.values(), ZIP, zipped(IMAGES, zipfile.ZIP_BZIP2), zipped(IMAGES, zipfile.ZIP_LZMA)]


@fuzz
@given(st.one_of(st.binary(max_size=200), *(changed(data) for data in SOME)))
def test_any_file_is_an_input_or_is_told_what_it_is(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.bin")
        path.write_bytes(data)
        with refused_by(NoInput):
            images = inspect_file(path).images
            assert images >= 1
        images_in_zip(io.BytesIO(data))


@fuzz
@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30)), max_size=4, unique=True))
def test_files_of_any_name_are_found_or_told(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = 0
        for name in names:
            plain = name.encode("utf-8", "surrogatepass")[:200].translate(NO_PATH)
            path = Path(folder, os.fsdecode(plain))
            try:
                path.write_bytes(IMAGES["a.png"])
                made += 1
            except OSError:  # no name for a file here
                continue
        found = find(Path(folder))
        assert len(found.files) + len(found.skipped) == len(os.listdir(folder))
        for file in found.files:
            assert (Path(folder) / file.path).resolve().is_relative_to(Path(folder).resolve())
            file.path.encode("utf-8")


def bomb(uncompressed: int) -> bytes:
    """A ZIP with one member that begins like a PNG and grows to so many bytes."""
    return zipped({"a.png": IMAGES["a.png"][:8] + bytes(uncompressed)})


@pytest.mark.timeout(20)
def test_a_zip_bomb_is_not_unpacked() -> None:
    data = bomb(200_000_000)
    assert len(data) < 300_000
    tracemalloc.start()
    try:
        images_in_zip(io.BytesIO(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.timeout(20)
def test_a_zip_of_very_many_names_is_read_within_bounds() -> None:
    data = zipped({f"{number}.txt": b"" for number in range(20_000)}, zipfile.ZIP_STORED)
    assert images_in_zip(io.BytesIO(data)) is None


def test_names_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    path = folder / "a.zip"
    path.write_bytes(zipped({"../../evil.png": IMAGES["a.png"], "/etc/evil.png": IMAGES["a.png"]}))
    assert inspect_file(path)[1] == 2
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "in"]


@fuzz
@given(st.one_of(st.binary(max_size=100), changed(b'["SELECT ?", [1]]\n["SELECT 1", []]\n')))
def test_any_rescue_file_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.rescue.jsonl")
        path.write_bytes(data)
        with refused_by(ValueError, OSError):
            load(path)
