"""Servers that take questions and answer none, before the first job: no wait in silence."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import gevent
import pytest

from kiosk_locust.assembly.bucket_preflight import open_for
from kiosk_locust.cli import check_services
from kiosk_locust.clock import SystemClock
from kiosk_locust.cost import queue_depth
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.queue_depth import Looker
from kiosk_locust.errors import KioskLocustError, PreflightError
from kiosk_locust.formatting import wait_messages
from kiosk_locust.model.options import FilesOptions, GrafanaOptions, Options
from kiosk_locust.storage.bucket import gcs
from tests.helpers.scenarios import make_options
from tests.helpers.servers import Connection, RawServer, hanging, json_answer


def asking(grafana: GrafanaOptions, require: str = "warn") -> Looker:
    options = make_options(host="http://kiosk", grafana=grafana, require_idle=require)
    return Looker(options, Secrets(), SystemClock(), {})


def insist(looker: Looker) -> None:
    looker.insist(resumes=False, is_ended=lambda: False)


def test_a_run_does_not_wait_for_queues_that_are_told_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_depth, "LIMIT_S", 1.5)
    with RawServer(hanging) as server:
        began = time.monotonic()
        insist(asking(GrafanaOptions(prometheus_url=server.url)))
        assert time.monotonic() - began < 1
        assert not caplog.messages
        gevent.sleep(2.5)
    assert caplog.messages == [
        "the Kiosk: how much it has to do cannot be known: no answer in 1.50 s"
    ]


def test_what_comes_late_is_of_the_moment_before_the_first_job() -> None:
    """Grafana names its Prometheus a second late, when the run has sent jobs of its own."""

    def slow_at_first(connection: Connection) -> None:
        while request := connection.read_request():
            if request.path.startswith("/api/datasources?") or request.path == "/api/datasources":
                gevent.sleep(1.0)
                connection.send(json_answer([{"type": "prometheus", "uid": "x", "id": 1}]))
            else:
                answer = {"status": "success", "data": {"resultType": "vector", "result": []}}
                connection.send(json_answer(answer))

    with RawServer(slow_at_first) as server:
        began_at = time.time()
        insist(asking(GrafanaOptions(server.url)))
        gevent.sleep(3.0)
        paths = [request.path for request in server.requests if "/api/v1/query?" in request.path]
    moments = [float(parse_qs(urlsplit(path).query)["time"][0]) for path in paths]
    assert moments
    assert max(moments) < began_at + 0.9


def test_a_run_that_ends_first_hears_no_more_of_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_depth, "LIMIT_S", 0.5)
    with RawServer(hanging) as server:
        looker = asking(GrafanaOptions(prometheus_url=server.url))
        insist(looker)
        gevent.sleep(0.1)
        looker.close()
        gevent.sleep(1.0)
    assert not caplog.messages


def test_where_the_queues_decide_it_is_said_that_they_are_waited_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_depth, "LIMIT_S", 1.5)
    monkeypatch.setattr(queue_depth, "TELL_S", 1.0)
    with RawServer(hanging) as server, pytest.raises(PreflightError, match="REQUIRE_IDLE"):
        insist(asking(GrafanaOptions(prometheus_url=server.url), "refuse"))
    assert caplog.messages == ["asking for the Kiosk's queues, for 1.5 s at most: 1 s so far"]


def test_check_gives_up_a_mute_grafana_with_words(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_services, "FIRST_ANSWER_S", 2.0)
    monkeypatch.setattr(wait_messages, "AGAIN_S", 1.0)
    with RawServer(hanging) as server:
        options = make_options(host="http://kiosk", grafana=GrafanaOptions(server.url))
        began = time.monotonic()
        with pytest.raises(KioskLocustError, match="did not answer within 2 s"):
            check_services._cost(options, Secrets())
    assert time.monotonic() - began < 20  # it was 183 s
    assert caplog.messages[0].startswith(f"asking GRAFANA_HOST ({server.url})")


def test_a_mute_bucket_is_waited_for_with_words_and_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(gcs, "_ASK_TIMEOUT_S", (5.0, 2.0))
    monkeypatch.setattr(gcs, "BRIEF_PATIENCE_S", 1.0)
    monkeypatch.setattr(wait_messages, "AGAIN_S", 1.0)
    with RawServer(hanging) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        options: Options = make_options(
            host="http://kiosk",
            output_dir=tmp_path,
            files=FilesOptions(
                "gs://a-bucket", upload_results=True, public_results=False, checkpoint_s=0.0
            ),
        )
        with pytest.raises(PreflightError, match="no answer in time"):
            open_for(options, [])
    assert "asking whether gs://a-bucket can be used: 1 s so far" in caplog.messages
