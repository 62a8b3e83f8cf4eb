"""The log file: where it is, what it holds, and that the console stays as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.plugin.log_file import BACKUPS, MAX_BYTES, close_log, open_log
from tests.helpers.real import Finished, Locust, simulator

TALKATIVE = Path(__file__).parents[1] / "locustfiles" / "talkative.py"
Open = Callable[[str], logging.Handler]


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "benchmark.log"


@pytest.fixture
def opened(log_file: Path) -> Iterator[Open]:
    """What opens the log file; loggers are as they were afterwards."""
    levels = {name: logging.getLogger(name).level for name in ("", "kiosk_locust", "locust")}
    root_handlers = [(handler, handler.level) for handler in logging.getLogger().handlers]
    handlers: list[logging.Handler] = []

    def open_it(level: str) -> logging.Handler:
        handlers.append(open_log(log_file, level))
        return handlers[-1]

    yield open_it
    for handler in handlers:
        close_log(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for handler, level in root_handlers:
        handler.setLevel(level)


def test_it_rotates_at_10_mb_and_keeps_three_old_ones(opened: Open, log_file: Path) -> None:
    opened("INFO")
    line = "x" * 30_000
    for _ in range(5 * MAX_BYTES // len(line)):
        logging.getLogger("kiosk_locust.execution.run").info(line)
    sizes = sorted(path.stat().st_size for path in log_file.parent.iterdir())
    assert len(sizes) == 1 + BACKUPS
    assert all(size <= MAX_BYTES == 10_000_000 for size in sizes)
    assert sizes[-1] > MAX_BYTES - 2 * len(line)


def test_it_holds_what_we_and_locust_log_with_time_and_level(opened: Open, log_file: Path) -> None:
    opened("INFO")
    logging.getLogger("kiosk_locust.execution.run").warning("ours")
    logging.getLogger("locust.runners").error("its")
    logging.getLogger("kiosk_locust.execution.run").debug("too much")
    lines = log_file.read_text().splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == [
        "WARNING kiosk_locust.execution.run: ours",
        "ERROR locust.runners: its",
    ]


@dataclass(frozen=True)
class Ran:
    """A run and what its log file holds; None where there is none."""

    finished: Finished
    log: str | None


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Runs with settings of the log file, all at the same time."""
    plans: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
        "by default": ((), {}, "benchmark.log"),
        "switched off": ((), {"LOG_ENABLED": "false"}, "benchmark.log"),
        "more in the file": (
            (),
            {"LOG_LEVEL": "DEBUG", "LOG_FILE": "logs/deep/debug.log"},
            "logs/deep/debug.log",
        ),
        "more on the console": (("-L", "DEBUG"), {"LOG_LEVEL": "ERROR"}, "benchmark.log"),
    }
    found = {}
    with simulator() as kiosk:
        runs = {}
        for name, (arguments, settings, _) in plans.items():
            folder = tmp_path_factory.mktemp("log")
            runs[name] = Locust(
                folder, "-u", "1", *arguments, host=kiosk.url, locustfile=TALKATIVE, **settings
            )
        for name, run in runs.items():
            finished = run.finish()
            assert finished.code == 0, finished.output
            log = finished.folder / plans[name][2]
            found[name] = Ran(finished, log.read_text() if log.exists() else None)
    return found


def test_a_run_writes_benchmark_log_into_the_working_directory(ran: dict[str, Ran]) -> None:
    log = ran["by default"].log
    assert log is not None
    assert "INFO kiosk_locust.assembly.controller: run " in log
    assert "DEBUG kiosk_locust.talkative: a detail" in log
    assert "exit code 0: 1 job is done; written: " in log


def test_a_run_that_is_told_so_writes_no_log(ran: dict[str, Ran]) -> None:
    assert ran["switched off"].log is None


def test_debug_in_the_file_makes_the_console_no_more_talkative(ran: dict[str, Ran]) -> None:
    run = ran["more in the file"]
    assert "DEBUG kiosk_locust.talkative: a detail" in (run.log or "")
    assert "the first job is due in" in run.finished.output
    assert "a detail" not in run.finished.output
    assert not (run.finished.folder / "benchmark.log").exists()


def test_debug_on_the_console_is_shown_though_the_file_holds_less(ran: dict[str, Ran]) -> None:
    run = ran["more on the console"]
    assert "a detail" in run.finished.output
    assert run.log == ""
