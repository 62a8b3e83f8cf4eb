"""A bucket that takes connections and answers nothing, at the end of a run: words, and an end."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from kiosk_locust.assembly.finalize_steps import bucket
from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.storage.bucket.address import Address
from kiosk_locust.storage.bucket.gcs import GoogleBucket
from tests.helpers.real import run_locust, simulator
from tests.helpers.servers import Connection, RawServer, json_answer
from tests.runs.test_finish_upload import advice, finished
from tests.storage.inputs import pictures

CRC = re.compile(rb'"crc32c": *"([^"]+)"')


def mute_after(uploads: int) -> Callable[[Connection], None]:
    """Answer as Google's buckets do, and nothing at all once so many uploads were answered."""
    answered: list[str] = []

    def behave(connection: Connection) -> None:
        while request := connection.read_request():
            if len(answered) >= uploads:
                connection.server.stopping.wait()
                return
            if request.path.startswith("/upload/"):
                answered.append(request.path)
                (crc32c,) = CRC.findall(request.body)
                connection.send(json_answer({"crc32c": crc32c.decode(), "generation": "1"}))
            elif request.path.split("?")[0].endswith("/o"):
                connection.send(json_answer({"items": []}))
            else:
                connection.send(json_answer({"error": {"message": "no such object"}}, 404))

    return behave


def open_at(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> GoogleBucket:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    return GoogleBucket("a-bucket")


def test_files_that_are_not_answered_are_given_up_and_those_before_them_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "MUTE_S", 2.0)
    with RawServer(mute_after(1)) as server:
        archive = Archive(open_at(server, monkeypatch), Address("a-bucket"), holds_locks=True)
        began = time.monotonic()
        ended = finished(tmp_path, archive)
        took_s = time.monotonic() - began
        sent = [request for request in server.requests if request.path.startswith("/upload/")]
    assert took_s < 20  # the client alone goes on for 120 s
    assert ended.archived.urls == ["gs://a-bucket/output/a-run.db.gz"]
    assert len(sent) == 2  # the file after the one that was not answered is not tried
    assert [path.suffix for path, _ in ended.archived.missed] == [".json", ".html"]
    assert re.match(r"gs://a-bucket has not answered for [2-9]\.\d+ s", ended.archived.reason)
    assert f"python -m kiosk_locust upload-results {tmp_path / 'a-run.db'}" in advice(ended)
    assert ended.verdict().code == 0


@pytest.fixture
def make_checkpoints(tmp_path: Path) -> Any:
    ledger = Ledger.create(tmp_path / "run.db", {})
    made: list[Checkpoints] = []

    def make(bucket: GoogleBucket) -> Checkpoints:
        clock = SystemClock()
        checkpoints = Checkpoints(
            bucket, "checkpoint.db.gz", ledger, Tickets(lambda *_: iter(())), clock,
            every_s=600, on_overtaken=lambda _: None, calls=CallFailures(clock),
        )  # fmt: skip
        made.append(checkpoints)
        return checkpoints

    yield make
    for checkpoints in made:
        checkpoints.stop()
    ledger.close()


def test_the_last_checkpoint_is_not_waited_for_where_the_bucket_is_mute(
    make_checkpoints: Callable[[GoogleBucket], Checkpoints],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RawServer(mute_after(1)) as server:
        checkpoints = make_checkpoints(open_at(server, monkeypatch))
        checkpoints.first(insist=True)
        checkpoints.start()
        gevent.sleep(0)  # it waits for its next by now
        began = time.monotonic()
        assert not checkpoints.last(60.0, Event(), mute_s=2.0)
        first_s = time.monotonic() - began
        assert not checkpoints.last(4.0, Event(), mute_s=4.0)
        second_s = time.monotonic() - began - first_s
    assert 2 <= first_s < 15
    assert 4 <= second_s < 15  # it may come to itself meanwhile
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "gs://a-bucket has not answered for" in told[0]


@pytest.mark.proof
def test_a_run_whose_bucket_falls_mute_ends_within_a_minute(tmp_path: Path) -> None:
    file = pictures.png(tmp_path / "image.png")
    with simulator() as kiosk, RawServer(mute_after(1)) as server:
        left = run_locust(
            *(tmp_path, "--mode", "upload"),
            FILE=str(file),
            host=kiosk.url,
            STORAGE_BUCKET="gs://a-bucket",
            STORAGE_EMULATOR_HOST=server.url,
        )
        ended_at = time.time()
    assert (left.code, left.outcomes) == (0, {"done": 1}), left.output
    ((moment,),) = left.sql("SELECT value FROM meta WHERE key = 'ended_at'")
    assert ended_at - float(moment) < 55  # 20 s, 5 s and 15 s; it was 188 s
    assert "the last checkpoint goes to the bucket: 10 s so far" in left.output
    assert "not uploaded: gs://a-bucket has not answered for" in left.output
    assert "python -m kiosk_locust upload-results" in left.output
