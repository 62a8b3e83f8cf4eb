"""A run's cost is asked of the simulated Grafana, which may be in trouble; time is virtual."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import gevent
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from kiosk_locust.cost import query, run_estimates, scale_down
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.collect import PATIENCE_S
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.estimate import estimate
from kiosk_locust.cost.query import Costing, Ended
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.model.options import CostOptions, GrafanaOptions
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.grafana import Grafana
from tests.helpers.clocks import ManualClock
from tests.helpers.ledgers import Row, make
from tests.helpers.scenarios import make_options
from tests.helpers.servers import RawServer, hanging
from tests.simulator.models import START, cluster, form

NOTE = RunNote(START + 10, START + 100, "ab", "a-run", "segmentation", "done", "1 job is done")


class Monitoring:
    """A simulated Grafana behind HTTP, by a clock of its own; ``replaced`` answers stand first."""

    def __init__(self, server: HTTPServer, kiosk: Cluster, clock: ManualClock) -> None:
        self.grafana = Grafana(kiosk)
        self.url = server.url_for("").rstrip("/")
        self.replaced: dict[str, Response] = {}
        self.without_labels: set[str] = set()
        self.stale_s = 0.0  # nodes were scraped so long ago
        self.clock = clock
        server.expect_request("/api/datasources").respond_with_handler(self._answer)
        server.expect_request("/api/annotations").respond_with_handler(self._answer)
        for call in ("query", "query_range"):
            path = f"/api/datasources/proxy/uid/simulated-prometheus/api/v1/{call}"
            server.expect_request(path).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        for part, response in self.replaced.items():
            if part in request.path:
                return response
        now = self.clock.now() - self.stale_s
        found = self.grafana.answer(
            request.method, request.path, request.query_string, request.data, now
        )
        body = json.loads(found.body)
        if self.without_labels and "kube_node_labels" in request.args.get("query", ""):
            result = body["data"]["result"]
            body["data"]["result"] = [
                each for each in result if each["metric"]["node"] not in self.without_labels
            ]
        return Response(json.dumps(body), found.status, content_type="application/json")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + 100)


@pytest.fixture
def monitoring(httpserver: HTTPServer, clock: ManualClock) -> Monitoring:
    kiosk = cluster(min_nodes=1, max_nodes=2, jobs_per_node=1)
    kiosk.submit(form(), START + 20)
    return Monitoring(httpserver, kiosk, clock)


def asking(clock: ManualClock, grafana: GrafanaOptions, **cost: Any) -> Costing:
    chosen = make_options(grafana=grafana, cost=CostOptions(**cost))
    return Costing(chosen, Secrets(), clock, {})


def ended(tmp_path: Path, *, was_signalled: bool = False) -> Ended:
    return Ended(make(tmp_path / "run.db", [Row()]), NOTE, was_signalled=was_signalled)


def ask(tmp_path: Path, clock: ManualClock, url: str, **cost: Any) -> RunCost:
    found = asking(clock, GrafanaOptions(url), **cost).ask(ended(tmp_path))
    assert found is not None
    return found


def test_the_cost_is_that_of_the_nodes_in_the_window(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    found = ask(tmp_path, clock, monitoring.url, network=False)
    assert found.run is not None
    assert not found.trouble
    # Two CPU nodes and a spot GPU node for 90 s, at the prices of us-west1 in the tables.
    per_hour = 2 * 0.189999 + 0.041722 + 0.175
    assert found.run.estimate["run"]["total_usd"] == pytest.approx(per_hour * 90 / 3600)
    assert float(found.run.legacy["cpu_node_cost"]) == pytest.approx(2 * 0.189999 * 90 / 3600)


def test_what_was_found_is_the_same_after_it_was_stored(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    found = ask(tmp_path, clock, monitoring.url)
    again = RunCost.from_text(found.as_text())
    assert again.section(None) == json.loads(json.dumps(found.section(None)))
    assert again.legacy(None) == found.legacy(None)


def test_the_run_is_marked_in_grafana_unless_that_is_not_wanted(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    off = GrafanaOptions(monitoring.url, annotations=False)
    asking(clock, off).ask(ended(tmp_path))
    assert monitoring.grafana.annotations == []
    (tmp_path / "run.db").unlink()
    ask(tmp_path, clock, monitoring.url)
    (mark,) = monitoring.grafana.annotations
    assert (mark["time"], mark["timeEnd"]) == (round((START + 10) * 1000), (START + 100) * 1000)
    assert mark["tags"] == ["kiosk", "ab", "segmentation", "done"]


def test_with_nobody_to_ask_nothing_is_known_and_nothing_is_warned_of(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert asking(clock, GrafanaOptions()).ask(ended(tmp_path)) is None
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


PROXY = "/api/v1/query"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (("/api/datasources", Response("{}", 401)), "it wants a login: set GRAFANA_USER"),
        (("/api/datasources", Response("{}", 403)), "needs the right to read data sources"),
        (("/api/datasources", Response("[]")), "no data source of type prometheus"),
        (("/api/datasources", Response("<html><title>Login</title>")), "(HTML) “Login”"),
        (("/api/datasources", Response("", 503)), "too busy"),
        (("query_range", Response('{"error": "timed out"}', 503)), "“timed out”: it is too busy"),
        (("query_range", Response('{"error": "no"}', 422)), "“no”: the query was refused"),
        (("query_range", Response('{"error": "bad"}', 400)), "“bad”: the query was refused"),
        (
            ("query_range", Response('{"status": "success", "data": {"result": []}}')),
            "kube_node_created is empty",
        ),
        (("query_range", Response('{"status": "success", "data": {"result": [1]}}')), "be read"),
    ],
)
def test_trouble_is_one_warning_that_names_its_cause(
    tmp_path: Path,
    monitoring: Monitoring,
    caplog: pytest.LogCaptureFixture,
    trouble: tuple[str, Response],
    words: str,
) -> None:
    monitoring.replaced = dict([trouble])
    found = ask(tmp_path, monitoring.clock, monitoring.url)
    assert found.run is None
    assert words in found.trouble
    assert set(found.legacy(None).values()) == {"", None}
    (warning,) = warnings(caplog)
    assert words in warning


def test_an_annotation_that_is_refused_leaves_the_cost_alone(
    tmp_path: Path,
    clock: ManualClock,
    monitoring: Monitoring,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitoring.replaced["annotations"] = Response('{"message": "Access denied"}', 403)
    assert ask(tmp_path, clock, monitoring.url).run is not None
    (warning,) = warnings(caplog)
    assert "not marked in Grafana" in warning
    assert "Access denied" in warning


def test_nodes_without_labels_make_it_at_least(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    monitoring.without_labels = {"simulated-cpu-0001"}
    found = ask(tmp_path, clock, monitoring.url)
    assert found.run is not None
    assert found.run.legacy["costs_are_at_least"] is True
    assert float(found.run.legacy["cpu_node_cost"]) == pytest.approx(0.189999 * 90 / 3600)


def test_a_fault_of_ours_is_trouble_and_nothing_more(
    tmp_path: Path,
    clock: ManualClock,
    monitoring: Monitoring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run_estimates, "estimate", broken)
    found = ask(tmp_path, clock, monitoring.url)
    assert "a fault of kiosk_locust: ZeroDivisionError()" in found.trouble


def test_a_scrape_after_the_end_is_waited_for_but_not_for_long(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    monitoring.stale_s = 7.0
    assert ask(tmp_path, clock, monitoring.url).run is not None
    assert 7.0 <= clock.now() - (START + 100) <= 7.0 + scale_down.SCRAPE_LOOK_S
    (tmp_path / "run.db").unlink()
    clock.time = START + 100
    monitoring.stale_s = 250.0
    ask(tmp_path, clock, monitoring.url)
    assert clock.now() - (START + 100) <= 90.0 + scale_down.SCRAPE_LOOK_S


def test_in_a_hurry_nothing_is_waited_for(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    monitoring.stale_s = 30.0
    asked = asking(clock, GrafanaOptions(monitoring.url), tail_s=600.0)
    asked.hurry()
    assert asked.ask(ended(tmp_path)) is not None
    assert clock.now() == START + 100


def test_a_tail_is_waited_for_and_counted(
    tmp_path: Path, clock: ManualClock, httpserver: HTTPServer
) -> None:
    kiosk = cluster(min_nodes=0, scale_down_delay_s=200.0)
    kiosk.submit(form(), START + 20)
    monitoring = Monitoring(httpserver, kiosk, clock)
    found = ask(tmp_path, clock, monitoring.url, tail_s=600.0, network=False)
    assert clock.now() == START + 700
    assert found.run is not None
    run, whole = (found.run.estimate[name] for name in ("run", "fully_loaded"))
    (node,) = kiosk.fleet.history
    assert node.deleted_at is not None
    assert run["window"]["end_at"] == START + 100
    assert whole["window"]["end_at"] == pytest.approx(node.deleted_at, abs=15)
    assert whole["gpu_nodes_usd"] > run["gpu_nodes_usd"]


def test_a_run_that_was_ended_by_a_signal_has_no_tail(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    asked = asking(clock, GrafanaOptions(monitoring.url), tail_s=None)
    assert asked.ask(ended(tmp_path, was_signalled=True)) is not None
    assert clock.now() == START + 100


def test_until_idle_ends_when_the_gpu_nodes_of_the_run_are_gone(
    tmp_path: Path, clock: ManualClock, httpserver: HTTPServer
) -> None:
    kiosk = cluster(min_nodes=0, scale_down_delay_s=200.0)
    kiosk.submit(form(), START + 20)
    monitoring = Monitoring(httpserver, kiosk, clock)
    found = ask(tmp_path, clock, monitoring.url, tail_s=None)
    (node,) = kiosk.fleet.history
    assert node.deleted_at is not None
    assert node.deleted_at <= clock.now() <= node.deleted_at + 2 * scale_down.IDLE_LOOK_S
    assert found.run is not None
    assert found.run.estimate["nodes"][-1]["name"] == node.name


def test_until_idle_is_bounded(
    tmp_path: Path,
    clock: ManualClock,
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scale_down, "LONGEST_TAIL_S", 120.0)
    kiosk = cluster(min_nodes=0, scale_down_delay_s=1e6)
    kiosk.submit(form(), START + 20)
    monitoring = Monitoring(httpserver, kiosk, clock)
    found = ask(tmp_path, clock, monitoring.url, tail_s=None)
    assert found.run is not None
    assert clock.now() - (START + 100) <= 120.0 + scale_down.IDLE_LOOK_S


def test_each_cycle_of_several_has_its_own_cost(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    cycles = ((1, START + 10, START + 40), (2, START + 40, START + 100))
    ledger = make(tmp_path / "run.db", [Row()], cycles=cycles)
    chosen = make_options(grafana=GrafanaOptions(monitoring.url), num_cycles=2)
    found = Costing(chosen, Secrets(), clock, {}).ask(Ended(ledger, NOTE))
    assert found is not None
    first, second, whole = (found.legacy(cycle)["gpu_node_cost"] for cycle in (1, 2, None))
    assert float(second) == pytest.approx(2 * float(first))
    assert float(whole) == pytest.approx(3 * float(first))


def test_prometheus_url_is_asked_instead_of_grafana(
    tmp_path: Path, clock: ManualClock, monitoring: Monitoring
) -> None:
    proxy = f"{monitoring.url}/api/datasources/proxy/uid/simulated-prometheus"
    monitoring.replaced["/api/datasources/x"] = Response("", 500)
    found = asking(clock, GrafanaOptions(prometheus_url=proxy)).ask(ended(tmp_path))
    assert found is not None
    assert found.asked == f"PROMETHEUS_URL ({proxy})"
    assert found.run is not None
    assert monitoring.grafana.annotations == []


@pytest.mark.parametrize("hurried", [True, False])
def test_a_grafana_that_never_answers_is_not_waited_for(
    tmp_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hurried: bool,
) -> None:
    monkeypatch.setattr(query, "LIMIT_S", -PATIENCE_S)
    monkeypatch.setattr(query, "HURRIED_LIMIT_S", 10.0 if hurried else 0.1)
    with RawServer(hanging) as server:
        asked = asking(clock, GrafanaOptions(server.url))
        if hurried:
            asked.hurry(0.1)
        found = asked.ask(ended(tmp_path))
    assert found is not None
    told = f"GRAFANA_HOST ({server.url}) did not answer all questions in 0.1 s"
    assert found.trouble.startswith(told)
    assert len(warnings(caplog)) == 1


def test_other_greenlets_run_while_it_is_asked_and_estimated(
    tmp_path: Path,
    clock: ManualClock,
    monitoring: Monitoring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow(*args: Any, **how: Any) -> Any:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:  # of the processor
            pass
        return estimate(*args, **how)

    monkeypatch.setattr(run_estimates, "estimate", slow)
    gaps: list[float] = []

    def tick() -> None:
        while True:
            begun = time.monotonic()
            gevent.sleep(0.005)
            gaps.append(time.monotonic() - begun)

    ticking = gevent.spawn(tick)
    assert ask(tmp_path, clock, monitoring.url).run is not None
    ticking.kill()
    assert max(gaps) < 1.0  # a busy machine's own pauses are shorter
