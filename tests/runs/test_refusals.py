"""What cannot be started says why, with the file that it is from, and with its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from kiosk_locust.errors import LedgerError, Mistake, OptionsError
from kiosk_locust.plugin import arguments
from kiosk_locust.plugin.exit_status import refuse


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    """The lines with which Locust's parser refuses these arguments, and exits with 2."""
    parser = get_empty_argument_parser(add_help=False)
    setup_parser_arguments(parser)
    if "--start-delay" not in parser._option_string_actions:
        arguments.add_options(parser)
    arguments.explain_errors(parser, argv)
    with pytest.raises(SystemExit) as left:
        parser.parse_args(list(argv))
    assert left.value.code == 2
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("key", "meant"), [("START_DELAY", "write start-delay"), ("start-dely", "mean start-delay?")]
)
def test_a_key_that_locust_refuses_is_named_with_file_line_and_what_was_meant(
    key: str,
    meant: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("locust.conf").write_text(f"users = 3\n{key} = 0.5\n")
    lines = refused(capsys, "--headless")
    (line,) = [line for line in lines if line.startswith(f"{key} in locust.conf, line 2")]
    assert meant in line
    assert lines[-1].startswith("exit code 2: ")


def test_the_file_of_config_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.conf").write_text("start-dely = 0.5\n")
    assert "start-dely in mine.conf, line 1" in "\n".join(refused(capsys, "--config=mine.conf"))


def test_a_flag_that_is_wrong_on_the_command_line_blames_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("locust.conf").write_text("users = 3\n")
    assert "locust.conf" not in "\n".join(refused(capsys, "--start-dely", "3"))


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (
            OptionsError([Mistake("--count", "x", "must be a number")]),
            "exit code 2: 1 setting cannot be used",
        ),
        (LedgerError("there is no ledger a.db"), "exit code 2: there is no ledger a.db"),
    ],
)
def test_the_last_line_of_a_start_that_is_refused_has_the_exit_code(
    error: OptionsError | LedgerError, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        refuse(error)
    assert left.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == last
