from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust import __main__ as program
from kiosk_locust.ledger.absent import why_absent


def test_of_a_file_that_is_there_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.db").write_text("")
    assert why_absent(tmp_path / "run.db") == ""


def test_ledgers_that_could_have_been_meant_are_named(tmp_path: Path) -> None:
    (tmp_path / "night.db").write_text("")
    assert f"such as {tmp_path / 'night.db'}" in why_absent(tmp_path / "nigth.db")
    assert str(tmp_path / "night.db") in why_absent(tmp_path)
    (tmp_path / "night.json").write_text("")
    assert "night.json" in why_absent(tmp_path / "nope.json")


def test_without_any_it_says_where_they_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert why_absent(Path("nope.db")) == (
        "there is no such file; give the path of a <run>.db (runs are written to OUTPUT_DIR)"
    )


@pytest.mark.parametrize("command", ["view", "report", "expire"])
@pytest.mark.parametrize("name", ["nope.db", "nope.json"])
def test_every_command_says_that_there_is_no_such_file(
    command: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.COMMANDS[command].main([str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert "there is no such file; give the path of a <run>.db" in said
    assert "Errno" not in said
