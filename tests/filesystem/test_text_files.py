"""All text files that users write are read by one function: the same bytes, the same answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.trace import read_trace
from kiosk_locust.cost.price_file import read_price_file
from kiosk_locust.errors import KioskLocustError, OptionsError, TextFileError
from kiosk_locust.filesystem import text_files
from kiosk_locust.filesystem.text_files import MAX_BYTES, read_text
from kiosk_locust.plugin import arguments
from kiosk_locust.verdict import thresholds


def _configured(path: Path) -> dict[str, str]:
    layers = arguments.read(["--config", str(path)], {}, {})
    if layers.mistakes:
        raise OptionsError(list(layers.mistakes))
    return {name: given.text for name in ("host",) if (given := layers.get(name))}


def _thresholds(path: Path) -> list[str]:
    return [each.text for each in thresholds.read(file=path)]


def _pyproject(path: Path) -> list[str]:
    return [each.text for each in thresholds.read(pyproject=path)]


PRICES = "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour"
#: Each kind of file: how it is read, a good content of two lines, and what is read of that.
KINDS: dict[str, tuple[Callable[[Path], object], str, object]] = {
    ".env": (read_dotenv, "# é\nLABEL=é\n", {"LABEL": "é"}),
    "locust.conf": (_configured, "# é\nhost = é\n", {"host": "é"}),
    "pyproject.toml": (
        _pyproject,
        '[tool.kiosk_locust]\nthresholds = ["failed < 1%"] # é\n',
        ["failed < 1%"],
    ),
    "thresholds.txt": (_thresholds, "# é\nfailed < 1%\n", ["failed < 1%"]),
    "trace.txt": (read_trace, "# é\n1.5\n", ((1.5,), False)),
    "prices.csv": (
        lambda path: sorted(read_price_file(path).machines),
        f"{PRICES}\né2-small,*,1,\n",
        [("é2-small", "*")],
    ),
}
#: Locust reads these, too, and takes a byte order mark for a part of the first line.
READ_BY_LOCUST = {"locust.conf", "pyproject.toml"}
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def _path(kind: str) -> Path:
    return Path("a_" + kind.lstrip(".")) if kind in READ_BY_LOCUST else Path(kind)


def _refusal(kind: str, data: bytes | None = None) -> str:
    """What a reader says of a file, which is made first where there is ``data``."""
    if data is not None:
        _path(kind).write_bytes(data)
    with pytest.raises((KioskLocustError, ValueError)) as caught:
        KINDS[kind][0](_path(kind))
    return str(caught.value)


@kinds
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_ending_is_one(kind: str, end: str) -> None:
    read, content, expected = KINDS[kind]
    _path(kind).write_bytes(content.replace("\n", end).encode())
    assert read(_path(kind)) == expected


@kinds
def test_a_byte_order_mark_is_skipped_or_refused_where_locust_would_trip_over_it(kind: str) -> None:
    read, content, expected = KINDS[kind]
    data = b"\xef\xbb\xbf" + content.encode()
    if kind in READ_BY_LOCUST:
        assert "line 1 begins with a byte order mark" in _refusal(kind, data)
    else:
        _path(kind).write_bytes(data)
        assert read(_path(kind)) == expected


@kinds
def test_a_byte_that_is_not_utf_8_is_named_with_its_line(kind: str) -> None:
    before, _, after = KINDS[kind][1].partition("\n")
    said = _refusal(kind, before.encode() + b"\r\n#ab\xe9c\r\n" + after.encode())
    assert "line 2, byte 4" in said
    assert "e9" not in said
    assert "UTF-8" in said


@kinds
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_unicode_is_named(kind: str, encoding: str) -> None:
    assert encoding.upper() in _refusal(kind, KINDS[kind][1].encode(encoding))


@kinds
def test_a_nul_is_named_with_its_line(kind: str) -> None:
    before, _, after = KINDS[kind][1].partition("\n")
    said = _refusal(kind, f"{before}\n#a\0\n{after}".encode())
    assert "line 2, byte 3 is NUL" in said


@kinds
def test_what_is_no_regular_file_is_refused_and_not_waited_for(kind: str) -> None:
    path = _path(kind)
    path.mkdir()
    assert "a folder" in _refusal(kind)
    path.rmdir()
    os.mkfifo(path)
    assert "a named pipe" in _refusal(kind)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "a device" in _refusal(kind)


@kinds
def test_a_file_beyond_all_bounds_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = KINDS[kind][1].encode()
    monkeypatch.setattr(text_files, "MAX_BYTES", len(data))
    _path(kind).write_bytes(data)
    KINDS[kind][0](_path(kind))
    assert "the file is larger than" in _refusal(kind, data + b"\n")


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {".env", "pyproject.toml"}))
def test_a_file_that_is_named_must_be_there(kind: str) -> None:
    assert "there is no such file" in _refusal(kind)


def test_a_link_to_nowhere_is_no_missing_dotenv() -> None:
    Path(".env").symlink_to("gone")
    assert "there is no such file" in _refusal(".env")


def test_a_million_lines_of_a_trace_are_within_the_bounds() -> None:
    assert 1_000_000 * len("123456.123456\r\n") < MAX_BYTES


def test_a_file_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").write_text("x", encoding="utf-8")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read anything
    with pytest.raises(TextFileError, match="the file cannot be read: Permission denied"):
        read_text(Path("a"))
