"""Processes that read ledgers for the pages: how many there are, counted in /proc."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kiosk_locust.errors import LedgerError, PageBusy
from kiosk_locust.reporting.web import pages, subprocess_reader
from kiosk_locust.reporting.web.pages import Pages
from kiosk_locust.reporting.web.subprocess_reader import MOST, ReaderPool
from tests.helpers.ledgers import Row, make
from tests.helpers.real import wait_until
from tests.reporting.web.test_pages import Shown

AT_ONCE = 40


def interpreters() -> set[int]:
    """The processes that this one started to read ledgers, and that still run."""
    found = set()
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:
            continue
        for pid in children:
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"kiosk_locust.reporting.web." in command:
                found.add(int(pid))
    return found


class Count:
    """What was seen of them meanwhile."""

    def __init__(self) -> None:
        self.most = 0
        self.all: set[int] = set()


@contextmanager
def counting() -> Iterator[Count]:
    count, is_over = Count(), threading.Event()

    def look() -> None:
        while not is_over.is_set():
            now = interpreters()
            count.most = max(count.most, len(now))
            count.all |= now
            time.sleep(0.005)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield count
    finally:
        is_over.set()
        looking.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        make(
            tmp_path / f"run{number}.db", [Row(reason=f"of run {number}")], run_name=f"run{number}"
        )
    return tmp_path


def app_of(folder: Path) -> Flask:
    app = Flask("test")
    app.register_blueprint(Pages(Shown(folder), lambda view: view).blueprint(""))
    return app


def ask(app: Flask, paths: list[str]) -> list[TestResponse]:
    """All of them at once, each by a client of its own."""
    with ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(lambda path: app.test_client().get(path), paths))


@pytest.mark.parametrize("path", ["jobs.csv", "data.json", "files/run0.db"])
def test_equal_requests_at_once_share_one_process(folder: Path, path: str) -> None:
    with counting() as count:
        answers = ask(app_of(folder), [f"/kiosk/runs/run0/{path}"] * AT_ONCE)
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert len({answer.data for answer in answers}) == 1
    assert len(count.all) == 1


def test_equal_requests_for_the_list_share_one_process(folder: Path) -> None:
    with counting() as count:
        answers = ask(app_of(folder), ["/kiosk/runs"] * AT_ONCE)
    assert [answer.status_code for answer in answers] == [200] * AT_ONCE
    assert all(answer.text.count('href="runs/run') == 6 for answer in answers)
    assert len(count.all) == 1


def test_of_different_requests_two_are_answered_and_the_rest_told_to_come_again(
    folder: Path,
) -> None:
    app = app_of(folder)
    names = [f"run{number % 6}" for number in range(AT_ONCE)]
    with counting() as count:
        answers = ask(app, [f"/kiosk/runs/{name}/jobs.csv" for name in names])
    assert count.most == MOST == 2
    assert {answer.status_code for answer in answers} == {200, 503}
    for name, answer in zip(names, answers, strict=True):
        if answer.status_code == 503:
            assert answer.headers["Retry-After"] == "2"
            assert "try again in 2 s" in answer.text
        else:
            assert f"of run {name[-1]}" in answer.text
    assert app.test_client().get("/kiosk/runs/run5/jobs.csv").status_code == 200


def test_pages_and_tables_have_their_two_processes_together(folder: Path) -> None:
    with counting() as count:
        paths = ["run1/jobs.csv", "run2/data.json", "run3/files/run3.db", "run4/data.json", ""]
        answers = ask(app_of(folder), [f"/kiosk/runs/{path}".rstrip("/") for path in paths])
    assert count.most == 2
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503]


def test_who_asks_for_the_head_of_a_table_starts_nothing(folder: Path) -> None:
    with counting() as count:
        answer = app_of(folder).test_client().head("/kiosk/runs/run0/jobs.csv")
    assert (answer.status_code, count.all) == (200, set())


# -- nothing is read in the process that measures

_connected: list[str] = []


@pytest.fixture
def connected() -> list[str]:
    """The databases that this very process opens from now on."""
    if not _connected:
        sys.addaudithook(_note)
        _connected.append("noted")
    del _connected[1:]
    return _connected


def _note(event: str, args: Any) -> None:
    if event == "sqlite3.connect":
        _connected.append(str(args[0]))


def test_no_page_opens_a_ledger_in_its_own_process(folder: Path, connected: list[str]) -> None:
    client = app_of(folder).test_client()
    for path in ("", "/run0", "/run0/data.json", "/run0/jobs.csv", "/run0/files/run0.db"):
        assert client.get(f"/kiosk/runs{path}").status_code == 200
    assert connected[1:] == []
    with closing(sqlite3.connect(folder / "run0.db")):
        assert len(connected) == 2  # what would have been seen


# -- the list of runs is kept for a while


def listed(client: FlaskClient) -> int:
    return client.get("/kiosk/runs").text.count('href="runs/run')


def test_the_list_is_kept_until_a_ledger_comes_or_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app_of(folder).test_client()
    assert listed(client) == 6
    with counting() as count:
        assert [listed(client) for _ in range(20)] == [6] * 20
    assert count.all == set()
    make(folder / "run9.db", [Row()], run_name="run9")
    assert listed(client) == 7
    with closing(sqlite3.connect(folder / "run9.db")) as db:
        db.execute("UPDATE meta SET value = 'false' WHERE key = 'finished'")
        db.commit()
    os.utime(folder / "run9.db", (time.time() + 9, time.time() + 9))
    assert "interrupted" in client.get("/kiosk/runs").text
    monkeypatch.setattr(pages, "LIST_FRESH_S", -1.0)
    with counting() as count:
        listed(client)
    assert len(count.all) == 1


# -- who shares an answer, and how it ends


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ledger whose table is many pieces long."""
    monkeypatch.setattr(subprocess_reader, "_PIECE", 1 << 10)
    monkeypatch.setattr(subprocess_reader, "_FIRST_PIECES", 4)
    monkeypatch.setattr(subprocess_reader, "_MOST_PIECES", 8)
    return make(tmp_path / "long.db", [Row(number=number) for number in range(300)])


def test_who_comes_once_the_beginning_is_gone_has_a_process_of_their_own(long: Path) -> None:
    running = ReaderPool()
    first = running.jobs_csv(long)
    begun = [next(first) for _ in range(3)]
    second = running.jobs_csv(long)  # the beginning is still there
    assert len(interpreters()) == 1
    assert [next(second) for _ in range(6)][:3] == begun
    begun += [next(first) for _ in range(6)]
    third = running.jobs_csv(long)
    whole = b"".join(third)
    assert b"".join([*begun, *first]) == whole
    second.close()
    assert interpreters() == set()


def test_one_who_takes_nothing_is_left_behind_by_the_others(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess_reader, "STALL_S", 0.05)
    running = ReaderPool()
    stuck, other = running.jobs_csv(long), running.jobs_csv(long)
    next(stuck)
    assert b"".join(other).count(b"\n") == 301
    with pytest.raises(LedgerError, match="too fast"):
        list(stuck)
    assert interpreters() == set()


def test_others_wait_for_one_who_is_slow(long: Path) -> None:
    running = ReaderPool()
    slow, other = running.jobs_csv(long), running.jobs_csv(long)

    def take_slowly() -> bytes:
        taken = []
        for piece in slow:
            taken.append(piece)
            time.sleep(0.002)
        return b"".join(taken)

    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take_slowly)
        assert b"".join(other) == taking.result()


def test_the_last_who_leaves_ends_the_process_and_makes_room(long: Path, folder: Path) -> None:
    running = ReaderPool(most=1)
    one, two = running.jobs_csv(long), running.jobs_csv(long)
    next(one)
    one.close()
    assert len(interpreters()) == 1
    with pytest.raises(PageBusy):
        running.picture(folder / "run0.db")
    two.close()
    assert interpreters() == set()
    assert json.loads(running.picture(folder / "run0.db"))["run_name"] == "run0"


class Alarm:
    """A timer that goes off when the test says so."""

    made: list[Alarm]
    daemon = False

    def __init__(self, after_s: float, ring: Callable[[], None]) -> None:
        self.after_s, self.ring = after_s, ring
        Alarm.made.append(self)

    def start(self) -> None:
        """Wait for the test."""

    def cancel(self) -> None:
        """Never go off."""
        Alarm.made.remove(self)


def sleeper(folder: Path) -> Path:
    """A program that never ends, whatever it is asked."""
    path = folder / "sleeper"
    path.write_text("#!/bin/sh\nkill -STOP $$\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[Alarm]:
    Alarm.made = []
    monkeypatch.setattr(subprocess_reader, "Timer", Alarm)
    return Alarm.made


def test_who_takes_too_long_is_cut_off_and_makes_room(long: Path, alarms: list[Alarm]) -> None:
    running = ReaderPool(most=1, limit_s=300)
    stuck = running.jobs_csv(long)
    next(stuck)
    assert [alarm.after_s for alarm in alarms] == [300]
    alarms[0].ring()
    assert interpreters() == set()
    with pytest.raises(LedgerError, match="could not be read within 300 s"):
        list(stuck)
    assert json.loads(running.picture(long))["closed"] == 300
    assert alarms == []


def test_a_process_that_takes_too_long_is_ended_for_all_who_wait(
    long: Path, alarms: list[Alarm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(sleeper(long.parent)))
    running = ReaderPool(limit_s=300)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(running.picture, long) for _ in range(3)]
        wait_until(lambda: len(alarms) == 1 and interpreters(), what="the process")
        alarms[0].ring()
        for one in waiting:
            with pytest.raises(LedgerError, match="could not be read within 300 s"):
                one.result(timeout=20)
    assert interpreters() == set()
