"""Results in a bucket: read with this machine's login, so for a Kiosk of the operator's alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.event import Event

from kiosk_locust.config import planned
from kiosk_locust.config.resolve import options_of_worker
from kiosk_locust.model.options import Options, options_as_json
from kiosk_locust.model.record import Download, Record
from kiosk_locust.storage.transfers.movers import movers
from tests.helpers.clocks import ManualClock
from tests.helpers.layered import make_layers, resolve, resolve_layers
from tests.helpers.servers import RawServer, answering, json_answer
from tests.storage.transfers.test_downloads import closed

OURS, THEIRS = "http://ours.example", "http://theirs.example"


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RawServer]:
    """A server in Google's place, which has nothing."""
    monkeypatch.chdir(tmp_path)
    with RawServer(answering(json_answer({"error": {"message": "none"}}, 404))) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


def settings(**more: str) -> dict[str, str]:
    return {"FILE": "image.png", "DOWNLOAD_RESULTS": "true", "STORAGE_BUCKET": "gs://ours", **more}


def error_of(url: str, options: Options) -> str:
    """The words on the record of a job whose Kiosk named ``url``."""
    downloads: list[Download] = []

    def note(_record: Record, download: Download) -> None:
        downloads.append(download)

    kiosk = cast("Any", SimpleNamespace(transport=SimpleNamespace(base_url=options.host)))
    moved = movers(options, kiosk, ManualClock(), random.Random(1), "a")
    assert moved.downloads is not None
    try:
        moved.downloads.begin(closed(0, url), note)
        moved.downloads.finish(10.0, Event())
    finally:
        moved.close()
    (download,) = downloads
    return download.error


@pytest.mark.parametrize("env", [{}, {"API_HOST": OURS}])
def test_a_kiosk_that_the_form_named_has_no_other_bucket_read(
    google: RawServer, env: dict[str, str]
) -> None:
    options = resolve(form={"host": THEIRS}, env=settings(**env)).options
    error = error_of("gs://another/secret.zip", options)
    assert "gs://another is read with this machine's login only for a Kiosk that whoever" in error
    assert google.requests == []


def test_a_kiosk_that_a_ledger_alone_named_has_no_other_bucket_read(google: RawServer) -> None:
    first = resolve(env=settings(API_HOST=THEIRS)).options
    lowest = planned.layer(options_as_json(first), "the ledger a.db")
    options = resolve_layers(make_layers(env=settings()).over(lowest)).options
    assert options.host == THEIRS
    assert "this machine's login" in error_of("gs://another/secret.zip", options)
    assert google.requests == []


@pytest.mark.parametrize(
    ("form", "url"),
    [
        (THEIRS, "gs://ours/a.zip"),  # STORAGE_BUCKET
        (OURS, "gs://another/a.zip"),  # the operator's Kiosk, whoever names it
    ],
)
def test_what_is_the_operators_is_read(google: RawServer, form: str, url: str) -> None:
    options = resolve(form={"host": form}, env=settings(API_HOST=OURS)).options
    assert "this machine's login" not in error_of(url, options)
    assert google.requests


def test_workers_are_told_of_it() -> None:
    options = resolve(form={"host": THEIRS}, env=settings(API_HOST=OURS)).options
    stored = json.loads(json.dumps(options_as_json(options)))
    assert not options_of_worker(stored).transfers.any_bucket
