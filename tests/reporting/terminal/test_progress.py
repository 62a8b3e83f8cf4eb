from __future__ import annotations

import io
import logging
import os
import pty
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TextIO

import gevent
import pytest
from gevent.event import Event
from rich.console import Console

from kiosk_locust.measurement.live_metrics import View
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.terminal.progress import Progress, line, picture

VIEW = View(
    total=100,
    closed=42,
    submitted=60,
    statuses={"new": 10, "predicting": 8},
    outcomes={Outcome.DONE: 40, Outcome.FAILED: 2},
    images_done=40,
    images_failed=2,
    elapsed_s=20.0,
    rate_per_s=2.5,
    left_s=23.2,
    waited_for=(),
)

LAST_OF_BAR = "40 done, 2 failed"


class Steps:
    """A clock on which each sleep lasts until the test lets it end."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._asleep = Event()
        self._wake = Event()

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._asleep.set()
        self._wake.wait()
        self._wake.clear()

    def wait(self, event: Event, seconds: float) -> bool:
        raise AssertionError("the progress waits for no event")

    def step(self) -> None:
        """Let the sleep end, and what follows it happen, up to the next sleep."""
        self._asleep.wait()
        self._asleep.clear()
        self._wake.set()
        self._asleep.wait()


@contextmanager
def terminal() -> Iterator[tuple[TextIO, int]]:
    """A pseudo-terminal: the stream to write to, and where to read what arrived."""
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream, reader
    os.close(reader)


def read_until(reader: int, pattern: str) -> str:
    """What arrives at the terminal, until ``pattern`` is in it."""
    said = ""
    while not re.search(pattern, said, re.DOTALL):
        said += os.read(reader, 65536).decode()
    return said


def drawn(view: View, encoding: str = "utf-8", width: int = 100) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(picture(view, console.encoding))
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(encoding)


def test_a_line_tells_counts_rate_and_time_left() -> None:
    assert line(VIEW) == (
        "42 of 100 jobs closed, 10 new, 8 predicting, 40 done, 2 failed, 2.5 jobs/s,"
        " about 23 s left"
    )


def test_a_line_names_the_jobs_waited_for() -> None:
    found = line(replace(VIEW, waited_for=("segmentation:a.png:1", "segmentation:b.png:2")))
    assert found.endswith("; waiting for segmentation:a.png:1 segmentation:b.png:2")


def test_an_open_ended_run_tells_its_age_and_no_time_left() -> None:
    found = line(replace(VIEW, total=None, left_s=None))
    assert found.startswith("42 jobs closed in 20.0 s, ")
    assert found.endswith(", 2.5 jobs/s")


def test_images_are_told_where_they_are_not_just_the_jobs() -> None:
    found = line(replace(VIEW, images_done=4000, images_failed=200))
    assert "4,000 images done, 200 images failed" in found


def test_a_job_id_cannot_move_the_cursor() -> None:
    found = line(replace(VIEW, waited_for=("a\x1b[2J\nb",)))
    assert found.endswith(r"waiting for a\x1b[2J\nb")


def test_the_picture_has_a_bar_and_the_same_facts() -> None:
    found = drawn(replace(VIEW, waited_for=("segmentation:a.png:1",)))
    first, second, third, fourth, *_ = found.splitlines()
    assert first.startswith("42 of 100 jobs closed ━━━")
    assert first.endswith("2.5 jobs/s, about 23 s left")
    assert second == "  10 new, 8 predicting, 40 done, 2 failed"
    assert (third, fourth.strip()) == ("  waiting for:", "segmentation:a.png:1")


def test_the_picture_is_plain_on_a_terminal_that_knows_only_ascii() -> None:
    found = drawn(replace(VIEW, waited_for=("segmentation:bäume.png:1",)), "ascii")
    assert "---" in found
    assert r"segmentation:b\xe4ume.png:1" in found


def test_the_picture_fits_a_narrow_terminal() -> None:
    found = drawn(replace(VIEW, waited_for=("x" * 300,)), width=60)
    assert max(len(each) for each in found.splitlines()) <= 60


def test_elsewhere_there_is_a_line_of_the_log_each_refresh(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Steps()
    progress = Progress(lambda: VIEW, 10.0, clock, Console(file=io.StringIO()))
    progress.start(0.0)
    clock.step()
    clock.step()
    assert [record.getMessage() for record in caplog.records] == [line(VIEW)] * 2
    assert set(clock.slept) == {10.0}
    progress.stop()


def test_the_last_line_is_written_when_it_stops_and_only_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress(lambda: VIEW, 10.0, Steps(), Console(file=io.StringIO()))
    progress.start(0.0)
    progress.stop()
    progress.stop()
    assert [record.getMessage() for record in caplog.records] == [line(VIEW)]


def test_a_dumb_terminal_gets_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    caplog.set_level(logging.INFO)
    with terminal() as (stream, _reader):
        progress = Progress(lambda: VIEW, 10.0, Steps(), Console(file=stream))
        progress.start(0.0)
        progress.stop()
    assert [record.getMessage() for record in caplog.records] == [line(VIEW)]


def test_a_view_that_fails_ends_the_progress_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = iter(range(2))

    def view() -> View:
        if next(calls) == 0:
            raise ZeroDivisionError("a fault")
        return VIEW

    clock = Steps()
    progress = Progress(view, 10.0, clock, Console(file=io.StringIO()))
    progress.start(0.0)
    gevent.sleep(0)
    clock._wake.set()
    gevent.sleep(0)
    progress.stop()
    assert "the progress cannot be shown; the run goes on" in caplog.text


def test_the_log_scrolls_by_above_the_bar_and_streams_are_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with terminal() as (stream, reader):
        monkeypatch.setattr(sys, "stderr", stream)
        handler = logging.StreamHandler()  # as Locust's: it holds the stream it was made with
        log = logging.getLogger("tests.above_the_bar")
        log.addHandler(handler)
        progress = Progress(lambda: VIEW, 10.0, Steps(), Console(stderr=True))
        progress.start(0.0)
        read_until(reader, LAST_OF_BAR)
        log.warning("a line of the log that is %s", "long " * 30)
        print("and half a", file=sys.stderr, end="")
        print(" line", file=sys.stderr)
        said = read_until(reader, f"and half a line.*{LAST_OF_BAR}")
        progress.stop()
        log.removeHandler(handler)
        assert sys.stderr is stream
        assert handler.stream is stream
    long, half = (
        said.index("a line of the log that is " + "long " * 30),
        said.index("and half a line"),
    )
    erased = said.index("\x1b[2K")
    assert erased < long < half, "the bar is erased before the log is printed in its place"
    assert long < said.index(LAST_OF_BAR) < half < said.rindex(LAST_OF_BAR), "and drawn below it"


def test_a_stream_that_leads_to_a_file_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as (stream, _reader), (tmp_path / "out.txt").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        progress = Progress(lambda: VIEW, 10.0, Steps(), Console(file=stream))
        progress.start(0.0)
        print("for the file")
        progress.stop()
        assert (tmp_path / "out.txt").stat().st_size == 0  # still in the file's own buffer
    assert (tmp_path / "out.txt").read_text() == "for the file\n"
