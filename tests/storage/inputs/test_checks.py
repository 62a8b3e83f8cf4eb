"""How much files are looked at, which links are followed, and track files."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kiosk_locust.model.input_file import Checks, Kind
from kiosk_locust.storage.inputs.finding import Rules, find
from kiosk_locust.storage.inputs.kinds import NoInput, inspect_file
from tests.storage.inputs import corpus, pictures


def folder(root: Path) -> Path:
    """A good file, one that may fail, one that surely fails, and one that is no input."""
    root.mkdir()
    pictures.png(root / "good.png")
    (root / "doubt.tif").write_bytes(corpus.stack_of_imagej(9, words="nothing"))
    (root / "fault.tif").write_bytes(corpus.stack_of_imagej(9, words="slices")[:3000])
    (root / "notes.txt").write_text("remember the milk")
    return root


@pytest.mark.parametrize(
    ("checks", "taken", "in_doubt"),
    [
        (Checks.STRICT, ["good.png"], []),
        (Checks.LENIENT, ["doubt.tif", "good.png"], ["doubt.tif"]),
        (Checks.NONE, ["doubt.tif", "fault.tif", "good.png"], []),
    ],
)
def test_a_doubt_is_skipped_or_told_and_without_checks_names_count(
    tmp_path: Path, checks: Checks, taken: list[str], in_doubt: list[str]
) -> None:
    found = find(folder(tmp_path / "in"), Rules(checks))
    assert [file.path for file in found.files] == taken
    assert [doubt.path for doubt in found.doubts] == in_doubt
    everything = {*taken, *(one.path for one in found.skipped)}
    assert everything == {"good.png", "doubt.tif", "fault.tif", "notes.txt"}


def test_without_checks_no_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder(tmp_path / "in")
    pictures.zipped(root / "set.zip")

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr("builtins.open", opened)
    found = find(root, Rules(Checks.NONE))
    kinds = {file.path: (file.kind, file.images) for file in found.files}
    assert kinds["set.zip"] == (Kind.ZIP, 0)  # nobody knows how many are in it
    assert kinds["good.png"] == (Kind.PNG, 1)


def linked(tmp_path: Path) -> Path:
    root, outside = tmp_path / "in", tmp_path / "outside"
    for path in (root / "a" / "b", outside / "c"):
        path.mkdir(parents=True)
    pictures.png(root / "a" / "one.png")
    pictures.png(outside / "two.png")
    pictures.png(outside / "c" / "three.png")
    (root / "a" / "b" / "up").symlink_to(root)  # a circle
    (root / "a" / "b" / "self").symlink_to(".")
    (root / "linked").symlink_to(outside)
    (outside / "c" / "back").symlink_to(root)
    (outside / "c" / "again").symlink_to(outside)
    (root / "file.png").symlink_to(outside / "two.png")
    (root / "loop").symlink_to("loop")
    return root


def test_links_out_of_a_folder_are_followed_where_that_is_allowed_and_circles_end(
    tmp_path: Path,
) -> None:
    found = find(linked(tmp_path), Rules(follow_symlinks=True))
    assert [file.path for file in found.files] == [
        "a/one.png", "file.png", "linked/c/three.png", "linked/two.png",
    ]  # fmt: skip
    reasons = {one.path: one.reason for one in found.skipped}
    assert reasons["a/b/up"] == "is a link to a folder that is looked through already"
    assert reasons["linked/c/again"] == "is a link to a folder that is looked through already"
    assert len(reasons) == 5  # and what leads to itself


def test_without_it_no_link_leads_out(tmp_path: Path) -> None:
    found = find(linked(tmp_path))
    assert [file.path for file in found.files] == ["a/one.png"]


def test_folders_that_link_each_other_are_entered_once(tmp_path: Path) -> None:
    root = tmp_path / "in"
    names = [f"f{number}" for number in range(12)]
    for name in names:
        (root / name).mkdir(parents=True)
        pictures.png(root / name / "x.png")
    for name in names:
        for other in names:
            (root / name / f"to_{other}").symlink_to(root / other)
    found = find(root, Rules(follow_symlinks=True))
    assert [file.path for file in found.files] == sorted(f"{name}/x.png" for name in names)


def track(mode: str = "w", names: tuple[str, ...] = ("raw.npy", "tracked.npy")) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name in names:
            array = io.BytesIO()
            np.save(array, np.zeros((2, 20, 30, 1)))
            member = tarfile.TarInfo(name)
            member.size = len(array.getvalue())
            archive.addfile(member, io.BytesIO(array.getvalue()))
    return out.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("name", ["a.trk", "a.TRKS"])
def test_track_files_are_taken_as_tarfile_opens_them(tmp_path: Path, mode: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(track(mode))
    with tarfile.open(path) as archive:  # as the consumer does
        assert archive.extractfile("raw.npy") is not None
    look = inspect_file(path)
    assert (look.kind, look.doubt) == (Kind.TRACK, "")


def test_a_track_file_that_was_cut_off_is_refused_and_a_strange_one_is_a_doubt(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.trk"
    path.write_bytes(track()[: 512 + 9000 + 600])
    with pytest.raises(NoInput, match="cut off"):
        inspect_file(path)
    path.write_bytes(track(names=("raw.npy",)))
    assert inspect_file(path).doubt == "is a track file without tracked.npy, which caliban reads"
    assert os.path.getsize(path) > 0
