"""The simulated cluster's Grafana, in virtual time."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.grafana import Grafana
from tests.simulator.models import START, cluster, form


def ask(kiosk: Cluster, path: str, now: float, **query: object) -> tuple[int, Any]:
    raw = urlencode(query).encode()
    answer = Grafana(kiosk).answer("GET", path, raw, b"", now)
    return answer.status, json.loads(answer.body)


def proxied(kiosk: Cluster, call: str, now: float, **query: object) -> Any:
    ((source),) = ask(kiosk, "/api/datasources", now)[1]
    path = f"/api/datasources/proxy/uid/{source['uid']}/api/v1/{call}"
    status, answer = ask(kiosk, path, now, **query)
    assert (status, answer["status"]) == (200, "success"), answer
    return answer["data"]["result"]


def scaled() -> Cluster:
    """No GPU node at first; one is born at 5 s and gone at 25 s."""
    kiosk = cluster(min_nodes=0, scale_down_delay_s=5.0, node_startup_s=5.0)
    kiosk.submit(form(), START)
    return kiosk


def test_nodes_are_there_from_their_birth_to_their_death() -> None:
    kiosk = scaled()
    query = {"query": "kube_node_created", "start": START, "end": START + 40, "step": 1}
    found = {
        each["metric"]["node"]: [at - START for at, _ in each["values"]]
        for each in proxied(kiosk, "query_range", START + 40, **query)
    }
    (gpu,) = kiosk.fleet.history
    assert gpu.deleted_at is not None
    lived = list(range(5, int(gpu.deleted_at - START)))
    assert found.pop(gpu.name) == lived
    assert found == {f"simulated-cpu-000{n}": list(range(41)) for n in range(2)}


def test_labels_tell_what_a_node_is() -> None:
    found = proxied(cluster(), "query", START + 1, query="kube_node_labels", time=START)
    machines = [each["metric"]["label_node_kubernetes_io_instance_type"] for each in found]
    assert machines == ["n1-standard-4", "n1-standard-4", "n1-highmem-2"]
    gpu = found[2]["metric"]
    assert gpu["label_cloud_google_com_gke_accelerator"] == "nvidia-tesla-t4"
    assert gpu["label_cloud_google_com_gke_spot"] == "true"
    assert gpu["label_topology_kubernetes_io_region"] == "us-west1"


def test_matchers_choose_series() -> None:
    query = 'kube_node_info{node="simulated-cpu-0001"}'
    found = proxied(cluster(), "query", START, query=query)
    assert [each["metric"]["node"] for each in found] == ["simulated-cpu-0001"]


def test_a_sample_is_never_from_the_future() -> None:
    found = proxied(
        cluster(), "query", START + 1, query="timestamp(kube_node_created)", time=START + 9
    )
    assert {float(each["value"][1]) for each in found} == {START + 1}


def test_a_metric_that_is_not_collected_has_no_series() -> None:
    assert proxied(cluster(), "query", START, query="node_total_hourly_cost") == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"query": "sum(rate(a[5m]))", "start": 0, "end": 1, "step": 1}, "plain metrics"),
        ({"query": "a", "start": 0, "end": 11_001, "step": 1}, "maximum resolution of 11,000"),
        ({"query": "a", "start": 0, "end": 1, "step": 0}, "the step must be above 0"),
        ({"query": "a", "start": 0, "end": 1}, "'step' is missing"),
        ({"query": "a", "start": 0, "end": 1, "step": "x"}, "no number"),
        ({"query": 'a{b=~"c"}', "start": 0, "end": 1, "step": 1}, "matchers such as"),
    ],
)
def test_what_cannot_be_answered_is_refused_as_prometheus_does(
    query: dict[str, object], words: str
) -> None:
    path = "/api/datasources/proxy/uid/simulated-prometheus/api/v1/query_range"
    status, answer = ask(cluster(), path, START, **query)
    assert (status, answer["errorType"]) == (400, "bad_data")
    assert words in answer["error"]


def test_another_data_source_is_not_there() -> None:
    assert ask(cluster(), "/api/datasources/proxy/uid/other/api/v1/query", START)[0] == 404


def test_annotations_are_kept() -> None:
    grafana = Grafana(cluster())
    body = json.dumps({"time": 1, "tags": ["kiosk"]}).encode()
    assert grafana.answer("POST", "/api/annotations", b"", body, START).status == 200
    found = grafana.answer("GET", "/api/annotations", b"", b"", START)
    assert json.loads(found.body) == [{"time": 1, "tags": ["kiosk"]}]
    assert grafana.answer("POST", "/api/annotations", b"", b"{", START).status == 400
