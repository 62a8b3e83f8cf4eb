"""Lines of logs: no escape sequences from outside reach a terminal, and none is without end."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from locust.env import Environment
from locust.stats import print_error_report

from kiosk_locust.filesystem import disk_space
from kiosk_locust.formatting import log_lines
from kiosk_locust.formatting.excerpt import plain_lines, without_middle
from kiosk_locust.formatting.log_lines import HANDLERS, MOST_CHARS, PlainErrors, make_plain
from kiosk_locust.model.record import Outcome
from kiosk_locust.plugin import log_file as logfile
from kiosk_locust.plugin.log_file import LogFile
from kiosk_locust.plugin.request_stats import describe

#: Colours, a window's title, a way back over what was printed, one of C1, a turn of the writing.
ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \rover \x08 \x9b2J \u202eturned"


def is_plain(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.fixture
def locusts_handlers() -> Iterator[Callable[[], str]]:
    """Locust's loggers with handlers named as its own; gives what these have printed."""
    terminal, handlers = io.StringIO(), []
    for name, handler_name in (("", "console"), ("locust.stats_logger", "console_plain")):
        handler = logging.StreamHandler(terminal)
        handler.name = handler_name
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger(name).addHandler(handler)
        handlers.append((name, handler))
    logging.getLogger("locust.stats_logger").setLevel(logging.INFO)
    make_plain()
    yield terminal.getvalue
    for name, handler in handlers:
        logging.getLogger(name).removeHandler(handler)


def test_locusts_report_of_errors_shows_escape_sequences_as_text(
    locusts_handlers: Callable[[], str],
) -> None:
    stats = Environment(user_classes=[]).stats
    stats.log_error("JOB", "segmentation", f"failed: {ESCAPES}")
    print_error_report(stats)
    printed = locusts_handlers()
    assert "failed: \\x1b[31mred" in printed
    assert is_plain(printed)


def test_a_traceback_keeps_its_lines_and_loses_its_escape_sequences(
    locusts_handlers: Callable[[], str],
) -> None:
    try:
        int(ESCAPES)
    except ValueError:
        logging.getLogger("kiosk_locust.anything").exception("it broke")
    printed = locusts_handlers()
    assert "it broke\nTraceback (most recent call last):\n  File " in printed
    assert "ValueError: invalid literal for int() with base 10: " in printed
    assert is_plain(printed)


def test_what_a_program_logs_with_handlers_of_its_own_is_left_to_it() -> None:
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(message)s")
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    try:
        make_plain()
        assert handler.formatter is formatter
    finally:
        logging.getLogger().removeHandler(handler)


def test_the_names_are_those_of_locusts_own_handlers() -> None:
    import inspect

    import locust.log

    source = inspect.getsource(locust.log.setup_logging)
    for name in HANDLERS:
        assert f'"{name}"' in source
    for name in log_lines.LOGGERS[1:]:
        assert f'"{name}"' in source


def test_the_text_that_locust_gets_of_a_reason_is_plain_itself() -> None:
    text = describe(Outcome.FAILED, f"Traceback\nValueError: \x1b]red {ESCAPES}")
    assert is_plain(text)
    assert describe(Outcome.FAILED, "\x1b]red") == "failed: \\x#b]red"


def test_what_gevent_prints_of_a_dead_greenlet_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    PlainErrors().write(f"RuntimeError: {ESCAPES}\n")
    printed = capsys.readouterr().err
    assert printed.startswith("RuntimeError: \\x1b[31mred")
    assert printed.endswith("\n")
    assert is_plain(printed)


@pytest.mark.parametrize(
    "text", ["", "plain", "two\nlines\tand a tab", "größer → 3 µm", "a\u00a0b"]
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert plain_lines(text) == text


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 5_000, 1_000_000])
@pytest.mark.parametrize("most", [60, 100, 8_192])
def test_a_text_without_its_middle_is_no_longer_than_allowed(length: int, most: int) -> None:
    text = "".join(chr(33 + number % 90) for number in range(length))
    shown = without_middle(text, most)
    assert len(shown) <= most
    if length <= most:
        assert shown == text
    elif most > 100:
        assert shown[-100:] == text[-100:]
        assert shown[:100] == text[:100]
        told = int(shown.split("[… ")[1].split(" ")[0].replace(",", ""))
        kept = len(shown) - len(shown.split("\n")[1]) - 2
        assert told == length - kept


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[LogFile]:
    handler = LogFile(tmp_path / "benchmark.log", now=lambda: clock[0])
    yield handler
    handler.close()


clock = [0.0]


def write(handler: LogFile, text: str) -> None:
    handler.handle(logging.LogRecord("kiosk_locust", logging.INFO, "", 0, text, (), None))


def size_of(handler: LogFile) -> int:
    return Path(handler.baseFilename).stat().st_size


def test_one_line_of_60_million_characters_is_clipped(log_file: LogFile) -> None:
    write(log_file, "x" * 60_000_000)
    assert size_of(log_file) <= MOST_CHARS + 10
    text = Path(log_file.baseFilename).read_text("utf-8")
    assert "characters left out" in text


def test_the_file_is_no_larger_than_10_mb_in_bytes_whatever_the_letters_take(
    log_file: LogFile,
) -> None:
    for _ in range(400):
        write(log_file, "\U0001f9ec" * 30_000)  # four bytes each
    sizes = [path.stat().st_size for path in Path(log_file.baseFilename).parent.iterdir()]
    assert len(sizes) == 1 + logfile.BACKUPS
    assert max(sizes) <= logfile.MAX_BYTES == 10_000_000
    assert max(sizes) > logfile.MAX_BYTES - 200_000


def test_no_line_is_written_while_the_disk_has_little_room_and_they_are_counted(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lack = [""]
    monkeypatch.setattr(disk_space, "lack_of", lambda *_: lack[0])
    write(log_file, "first")
    lack[0], clock[0] = "the disk is nearly full", clock[0] + 2
    for _ in range(3):
        write(log_file, "lost")
    assert caplog.text.count("nothing more is logged to") == 1
    assert "the disk is nearly full (LOG_FILE)" in caplog.text
    lack[0], clock[0] = "", clock[0] + 2
    write(log_file, "again")
    lines = Path(log_file.baseFilename).read_text("utf-8").splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "first",
        "3 lines were left out before this one, for want of room",
        "again",
    ]
