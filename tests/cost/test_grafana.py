from __future__ import annotations

from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from kiosk_locust.cost.annotations import RunNote, annotate
from kiosk_locust.cost.credentials import Credentials
from kiosk_locust.cost.endpoints import DEFAULT_HOSTS, Source, default_source
from kiosk_locust.cost.grafana import find_prometheus
from kiosk_locust.cost.http import Endpoint, JsonClient
from kiosk_locust.errors import CostError, CostRefused
from tests.helpers.clocks import ManualClock

NODE: dict[str, Any] = {"metric": {"node": "n"}, "value": [1, "1"]}


def source(uid: str | None, number: int | None = 1, *, default: bool = False) -> dict[str, Any]:
    found = {"type": "prometheus", "uid": uid, "id": number, "isDefault": default, "name": "P"}
    return {name: value for name, value in found.items() if value is not None}


def grafana(server: HTTPServer, *sources: dict[str, Any]) -> JsonClient:
    server.expect_request("/g/api/datasources").respond_with_json(list(sources))
    return JsonClient(
        Endpoint("GRAFANA_HOST", server.url_for("/g"), "a login"), Credentials(), ManualClock()
    )


def answers(server: HTTPServer, route: str, *nodes: dict[str, Any]) -> None:
    path = f"/g/api/datasources/proxy/{route}/api/v1/query"
    found = {"status": "success", "data": {"resultType": "vector", "result": list(nodes)}}
    server.expect_request(path).respond_with_json(found)


def asked(server: HTTPServer) -> list[str]:
    paths = [request.path.removeprefix("/g/api/datasources") for request, _ in server.log]
    return [path.removeprefix("/proxy/").removesuffix("/api/v1/query") for path in paths if path]


def test_the_default_prometheus_is_asked_by_its_uid(httpserver: HTTPServer) -> None:
    web = grafana(
        httpserver, {"type": "loki", "uid": "l"}, source("b", 2), source("a", 3, default=True)
    )
    answers(httpserver, "uid/a", NODE)
    find_prometheus(web, 0.0)
    assert asked(httpserver) == ["uid/a"]


def test_one_that_knows_nodes_is_taken_where_the_default_one_does_not(
    httpserver: HTTPServer,
) -> None:
    web = grafana(httpserver, source("a", 1, default=True), source("b", 2))
    answers(httpserver, "uid/a")
    answers(httpserver, "uid/b", NODE)
    find_prometheus(web, 0.0).query("x", 0.0)
    assert asked(httpserver) == ["uid/a", "uid/b", "uid/b"]


def test_where_none_knows_nodes_it_is_the_default_one(httpserver: HTTPServer) -> None:
    web = grafana(httpserver, source("b", 2), source("a", 1, default=True))
    answers(httpserver, "uid/a")
    answers(httpserver, "uid/b")
    find_prometheus(web, 0.0).query("x", 0.0)
    assert asked(httpserver) == ["uid/a", "uid/b", "uid/a"]


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_old_grafana_is_asked_by_number(httpserver: HTTPServer, status: int) -> None:
    web = grafana(httpserver, source("a", 7))
    path = "/g/api/datasources/proxy/uid/a/api/v1/query"
    httpserver.expect_request(path).respond_with_json({"message": "id is invalid"}, status)
    answers(httpserver, "7", NODE)
    find_prometheus(web, 0.0)
    assert asked(httpserver) == ["uid/a", "7"]


def test_a_very_old_one_knows_no_uid(httpserver: HTTPServer) -> None:
    web = grafana(httpserver, source(None, 7))
    answers(httpserver, "7", NODE)
    find_prometheus(web, 0.0)
    assert asked(httpserver) == ["7"]


def test_the_number_is_not_tried_where_the_account_may_not_ask(httpserver: HTTPServer) -> None:
    web = grafana(httpserver, source("a", 7))
    path = "/g/api/datasources/proxy/uid/a/api/v1/query"
    httpserver.expect_request(path).respond_with_json({"message": "Access denied"}, 403)
    with pytest.raises(CostRefused, match=r"403 .*“Access denied”"):
        find_prometheus(web, 0.0)
    assert asked(httpserver) == ["uid/a"]


def test_a_grafana_without_a_prometheus_is_told_with_what_to_do(httpserver: HTTPServer) -> None:
    with pytest.raises(CostError, match=r"no data source of type prometheus.*set PROMETHEUS_URL"):
        find_prometheus(grafana(httpserver, {"type": "loki"}), 0.0)


@pytest.mark.parametrize("answer", [{}, {"message": "x"}, "text", None])
def test_what_is_no_grafana_is_told(httpserver: HTTPServer, answer: Any) -> None:
    httpserver.expect_request("/api/datasources").respond_with_json(answer)
    target = Endpoint("GRAFANA_HOST", httpserver.url_for("").rstrip("/"), "")
    with pytest.raises(CostError, match=r"does not list data sources: is it a Grafana"):
        find_prometheus(JsonClient(target, Credentials(), ManualClock()), 0.0)


def test_json_that_is_no_prometheus_s_is_told(httpserver: HTTPServer) -> None:
    web = grafana(httpserver, source("a"))
    path = "/g/api/datasources/proxy/uid/a/api/v1/query"
    httpserver.expect_request(path).respond_with_json({"status": "success", "data": []})
    with pytest.raises(CostError, match=r"JSON that is no Prometheus's"):
        find_prometheus(web, 0.0)


def test_a_run_is_one_region_annotation_with_its_tags(httpserver: HTTPServer) -> None:
    received: list[Any] = []

    def keep(request: Request) -> Response:
        received.append(request.get_json())
        return Response('{"message": "Annotation added", "id": 1}')

    httpserver.expect_request("/g/api/annotations", "POST").respond_with_handler(keep)
    note = RunNote(1.5, 100.25, "ab12", "night", "mesmer", "done", "all 3 jobs are done")
    annotate(grafana(httpserver), note)
    assert received == [
        {
            "time": 1500,
            "timeEnd": 100250,
            "tags": ["kiosk", "ab12", "mesmer", "done"],
            "text": "night: all 3 jobs are done",
        }
    ]


def test_outside_a_cluster_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: pytest.fail("a name was looked up"))
    assert not default_source({})


@pytest.mark.parametrize("known", [*DEFAULT_HOSTS, ""])
def test_in_a_cluster_the_names_of_both_charts_are_tried(
    monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    def look_up(name: str, _port: int) -> list[object]:
        if name != known:
            raise OSError
        return []

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    found = default_source({"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert found == Source(grafana=f"http://{known}" if known else "")
