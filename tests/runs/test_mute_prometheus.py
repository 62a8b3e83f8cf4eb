"""A Prometheus or Grafana that takes questions and answers none: words, and an end."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

import pytest

from kiosk_locust.clock import SystemClock
from kiosk_locust.cost import query
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.query import CostCollector, EndedRun
from kiosk_locust.model.options import GrafanaOptions
from tests.helpers.ledgers import T0, Row, make
from tests.helpers.real import run_locust, simulator
from tests.helpers.scenarios import make_options
from tests.helpers.servers import Connection, RawServer, answering, hanging, json_answer

NOTE = RunNote(T0, T0 + 6, "ab" * 16, "run", "segmentation", "done", "all jobs are done")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "FIRST_ANSWER_S", 2.0)
    monkeypatch.setattr(query, "ANSWER_S", 4.0)
    monkeypatch.setattr(query, "LOG_INTERVAL_S", 0.5)


def ask(tmp_path: Path, grafana: GrafanaOptions) -> tuple[str, float]:
    """The trouble that asking for the cost came to, and how long it took in seconds."""
    asked = CostCollector(make_options(grafana=grafana), Secrets(), SystemClock(), {})
    began = time.monotonic()
    found = asked.ask(EndedRun(make(tmp_path / "run.db", [Row()]), NOTE, was_signalled=True))
    assert found is not None
    return found.trouble, time.monotonic() - began


def test_nobody_waits_long_for_a_first_answer_and_words_are_said_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RawServer(hanging) as server:
        trouble, took_s = ask(tmp_path, GrafanaOptions(prometheus_url=server.url))
    assert trouble.startswith(f"PROMETHEUS_URL ({server.url}) did not answer within 2 s")
    assert took_s < 10
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert re.fullmatch(
        rf"asking PROMETHEUS_URL \({server.url}\) for the cost: no answer for 1 s; it is given up"
        r" after 2 s, Ctrl-C does so sooner",
        told[0],
    )
    assert len(server.requests) == 1  # it was not asked once more in between


def test_who_has_answered_before_may_take_longer(tmp_path: Path) -> None:
    def once(connection: Connection) -> None:
        for number in range(2):
            connection.read_request()
            if number:
                hanging(connection)
            connection.sock.sendall(json_answer([{"type": "prometheus", "uid": "x", "id": 1}]))

    with RawServer(once) as server:
        trouble, took_s = ask(tmp_path, GrafanaOptions(server.url))
    assert trouble.startswith(f"GRAFANA_HOST ({server.url}) did not answer within 4 s")
    assert 4 <= took_s < 12
    assert {request.method for request in server.requests} == {"GET"}  # nor asked to mark the run


def test_the_run_is_marked_in_grafana_though_its_prometheus_is_mute(tmp_path: Path) -> None:
    with RawServer(hanging) as mute, RawServer(answering(json_answer({"id": 1}))) as grafana:
        options = GrafanaOptions(grafana.url, prometheus_url=mute.url)
        trouble, _ = ask(tmp_path, options)
    assert trouble.startswith(f"PROMETHEUS_URL ({mute.url}) did not answer within 2 s")
    assert [request.path for request in grafana.requests] == ["/api/annotations"]


@pytest.mark.proof
def test_a_run_with_a_mute_prometheus_begins_at_once_and_ends_with_its_results(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk, RawServer(hanging) as server:
        began = time.monotonic()
        left = run_locust(tmp_path, "-u", "2", host=kiosk.url, PROMETHEUS_URL=server.url)
        took_s = time.monotonic() - began
    assert (left.code, left.outcomes) == (0, {"done": 2}), left.output
    assert took_s < 60  # it was 183 s and more
    moments = dict(left.sql("SELECT key, value FROM meta WHERE key IN ('started_at', 'time_zero')"))
    assert float(moments["time_zero"]) - float(moments["started_at"]) < 8  # it was 10 s more
    assert "the Kiosk: how much it has to do cannot be known: no answer in 10" in left.output
    assert f"asking PROMETHEUS_URL ({server.url}) for the cost: no answer for" in left.output
    assert f"PROMETHEUS_URL ({server.url}) did not answer within 20 s" in left.output
