"""The log file: where it is, what it holds, and that the console stays as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk_locust.logfile import BACKUPS, MAX_BYTES, close_log, open_log
from tests.real import run_locust, simulator

TALKATIVE = Path(__file__).parent / "locustfiles" / "talkative.py"
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
    line = "x" * 100_000
    for _ in range(5 * MAX_BYTES // len(line)):
        logging.getLogger("kiosk_locust.run").info(line)
    sizes = sorted(path.stat().st_size for path in log_file.parent.iterdir())
    assert len(sizes) == 1 + BACKUPS
    assert all(size <= MAX_BYTES == 10_000_000 for size in sizes)
    assert sizes[-1] > MAX_BYTES - 2 * len(line)


def test_it_holds_what_we_and_locust_log_with_time_and_level(opened: Open, log_file: Path) -> None:
    opened("INFO")
    logging.getLogger("kiosk_locust.run").warning("ours")
    logging.getLogger("locust.runners").error("its")
    logging.getLogger("kiosk_locust.run").debug("too much")
    lines = log_file.read_text().splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == [
        "WARNING kiosk_locust.run: ours",
        "ERROR locust.runners: its",
    ]


@pytest.mark.parametrize(("settings", "expected"), [({}, True), ({"LOG_ENABLED": "false"}, False)])
def test_a_run_writes_benchmark_log_unless_told_not_to(
    tmp_path: Path, settings: dict[str, str], expected: bool
) -> None:
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "-u", "1", host=kiosk.url, **settings)
    assert finished.code == 0
    assert (tmp_path / "benchmark.log").exists() is expected


def test_debug_in_the_file_makes_the_console_no_more_talkative(tmp_path: Path) -> None:
    settings = {"LOG_LEVEL": "DEBUG", "LOG_FILE": "logs/deep/debug.log"}
    with simulator() as kiosk:
        finished = run_locust(tmp_path, "-u", "1", host=kiosk.url, locustfile=TALKATIVE, **settings)
    assert finished.code == 0
    log = (tmp_path / "logs" / "deep" / "debug.log").read_text()
    assert "DEBUG kiosk_locust.talkative: a detail" in log
    assert "the first job is due in" in finished.output
    assert "a detail" not in finished.output
    assert not (tmp_path / "benchmark.log").exists()


def test_debug_on_the_console_is_shown_though_the_file_holds_less(tmp_path: Path) -> None:
    settings = {"LOG_LEVEL": "WARNING"}
    with simulator() as kiosk:
        finished = run_locust(
            tmp_path, "-u", "1", "-L", "DEBUG", host=kiosk.url, locustfile=TALKATIVE, **settings
        )
    assert finished.code == 0
    assert "a detail" in finished.output
    assert (tmp_path / "benchmark.log").read_text() == ""
