"""What a file is, by its content: as other libraries write it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk_locust.model.input_file import Kind
from kiosk_locust.storage.inputs.kinds import NoInput, images_in_zip, inspect_file
from tests.storage.inputs import pictures


@pytest.mark.parametrize("variant", pictures.TIFFS)
def test_every_variant_of_tiff_is_one_job(tmp_path: Path, variant: str) -> None:
    assert inspect_file(pictures.tiff(tmp_path / "a.xyz", variant))[:2] == (Kind.TIFF, 1)


def test_images_are_told_whatever_their_names(tmp_path: Path) -> None:
    assert inspect_file(pictures.png(tmp_path / "a.tif"))[:2] == (Kind.PNG, 1)
    assert inspect_file(pictures.jpeg(tmp_path / "a.zip"))[:2] == (Kind.JPEG, 1)


def test_a_zip_has_as_many_images_as_files_that_archivers_did_not_add(tmp_path: Path) -> None:
    assert inspect_file(pictures.zipped(tmp_path / "a.bin", images=7))[:2] == (Kind.ZIP, 7)
    with (tmp_path / "a.bin").open("rb") as archive:
        assert images_in_zip(archive) == 7
    assert images_in_zip(io.BytesIO(b"no ZIP")) is None


@pytest.mark.parametrize("variant", pictures.TIFFS)
def test_a_tiff_that_was_cut_off_anywhere_is_none(tmp_path: Path, variant: str) -> None:
    whole = pictures.tiff(tmp_path / "a.tif", variant).read_bytes()
    cut = tmp_path / "cut.tif"
    for length in (8, len(whole) // 3):
        cut.write_bytes(whole[:length])
        with pytest.raises(NoInput):
            inspect_file(cut)


def test_other_images_that_were_cut_off_are_none(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    for write in (pictures.png, pictures.jpeg, pictures.zipped):
        whole = write(tmp_path / "whole").read_bytes()
        cut.write_bytes(whole[: len(whole) * 3 // 4])
        with pytest.raises(NoInput, match="cut off"):
            inspect_file(cut)


def test_a_zip_without_images_is_no_job(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no images here")
    with pytest.raises(NoInput, match="is a ZIP without images"):
        inspect_file(path)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(NoInput, match="no files"):
        inspect_file(path)


def kind_or_reason(path: Path) -> Kind | str:
    try:
        return inspect_file(path)[0]
    except NoInput as reason:
        return str(reason)


@settings(max_examples=150)
@given(
    begin=st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\xff\xd8\xff", b"PK\x03\x04"]),
    rest=st.binary(max_size=120),
)
def test_whatever_follows_the_first_bytes_the_answer_is_a_kind_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, begin: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(begin + rest)
    found = kind_or_reason(path)
    assert isinstance(found, Kind) or found.startswith(("is a", "begins like a"))


@settings(max_examples=100)
@given(
    where=st.integers(0, 2000),
    value=st.integers(0, 255),
    variant=st.sampled_from(["pages", "bigtiff"]),
)
def test_a_changed_byte_never_breaks_the_look(
    tmp_path_factory: pytest.TempPathFactory, where: int, value: int, variant: str
) -> None:
    path = pictures.tiff(tmp_path_factory.getbasetemp() / "changed.tif", variant)
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    path.write_bytes(content)
    found = kind_or_reason(path)
    assert found is Kind.TIFF or "is " in found


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_zip_is_told_however_it_was_packed(tmp_path: Path, method: int) -> None:
    image = pictures.png(tmp_path / "a.png").read_bytes()
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.png", image)
    content = path.read_bytes()
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        found = kind_or_reason(path)
        assert found is Kind.ZIP or "is a ZIP " in found or "is neither" in found, at
