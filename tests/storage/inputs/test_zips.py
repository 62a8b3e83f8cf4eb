"""ZIPs: what Python's zipfile, with which the Kiosk unpacks them, says of the same archives."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from kiosk_locust.model.input_file import Kind
from kiosk_locust.storage.inputs.kinds import NoInput, inspect_file
from tests.storage.inputs import corpus

IMAGE = corpus.by_pillow(corpus.noise(8, 9), "PNG")


def marked(data: bytes, name: str, *, flags: int = 0, method: int | None = None) -> bytes:
    """An archive that says of one member, in both its headers, what it is told."""
    changed = bytearray(data)
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        length = 30 if magic == b"PK\x03\x04" else 46
        begin = -1
        while (begin := data.find(magic, begin + 1)) >= 0:
            if data[begin + length : begin + length + len(name)] != name.encode():
                continue
            changed[begin + at] |= flags
            if method is not None:
                changed[begin + at + 2] = method
    return bytes(changed)


def is_unpacked(data: bytes) -> bool:
    """Whether zipfile extracts every member, as the Kiosk's consumer has it do."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(data)) as archive:
        try:
            archive.extractall(folder)
        except (RuntimeError, NotImplementedError):
            return False
    return True


def reason(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(NoInput) as refused:
        inspect_file(path)
    return str(refused.value)


def test_images_behind_many_annotations_are_found(tmp_path: Path) -> None:
    members = {f"notes/{number}.json": b"{}" for number in range(300)}
    path = tmp_path / "a.zip"
    path.write_bytes(corpus.zipped({**members, "last.png": IMAGE}))
    look = inspect_file(path)
    assert (look.kind, look.images) == (Kind.ZIP, 301)
    assert look.array is not None


def test_an_image_with_an_unusual_ending_behind_many_annotations_is_found(tmp_path: Path) -> None:
    members = {f"notes/{number}.json": b"{}" for number in range(300)}
    path = tmp_path / "a.zip"
    path.write_bytes(corpus.zipped({**members, "last.scan": IMAGE}))
    assert inspect_file(path).images == 301


def test_a_zip_of_very_many_files_is_taken_in_doubt_where_no_image_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk_locust.storage.inputs.kinds.MOST_LOOKED_INTO", 50)
    path = tmp_path / "a.zip"
    path.write_bytes(corpus.zipped({f"{number}.json": b"{}" for number in range(60)}))
    assert "50 of the 60 files in it were looked into" in inspect_file(path).doubt


def test_a_password_on_any_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    data = corpus.zipped({**{f"{n}.png": IMAGE for n in range(150)}, "secret.txt": b"x"})
    data = marked(data, "secret.txt", flags=1)
    assert not is_unpacked(data)
    assert reason(tmp_path, data) == (
        "is a ZIP that the Kiosk cannot unpack (1 of 151 files in it, such as 'secret.txt', has a"
        " password: pack it again without one)"
    )


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (98, "PPMd"), (6, "Implode"), (97, "WavPack")]
)
def test_a_method_that_zipfile_lacks_is_told_with_what_to_do(
    tmp_path: Path, method: int, name: str
) -> None:
    data = marked(corpus.zipped({"a.png": IMAGE, "b.png": IMAGE}), "b.png", method=method)
    assert not is_unpacked(data)
    assert reason(tmp_path, data) == (
        f"is a ZIP that the Kiosk cannot unpack (1 of 2 files in it, such as 'b.png', is packed by"
        f" {name} (method {method}): pack it again with Deflate, or without compression)"
    )


def test_methods_and_passwords_are_told_together(tmp_path: Path) -> None:
    data = corpus.zipped({"a.png": IMAGE, "b.png": IMAGE, "c.png": IMAGE})
    data = marked(marked(data, "b.png", method=9), "c.png", flags=1)
    told = reason(tmp_path, data)
    assert "has a password" in told
    assert "Deflate64" in told


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_zipfile_has_are_taken(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(corpus.zipped({"a.png": IMAGE}, method))
    assert is_unpacked(path.read_bytes())
    assert inspect_file(path).images == 1


@pytest.mark.parametrize("prefix", [b"#!/bin/sh\nexit 0\n", b"MZ" + bytes(5000)])
def test_a_program_before_the_archive_is_legal(tmp_path: Path, prefix: bytes) -> None:
    data = prefix + corpus.zipped({"a.png": IMAGE, "b.png": IMAGE})
    assert is_unpacked(data)
    path = tmp_path / "a.exe"
    path.write_bytes(data)
    assert inspect_file(path)[:2] == (Kind.ZIP, 2)
