"""Prometheus of the simulated cluster: metrics of its nodes and queues.

It behaves as if it scraped continuously: a sample's time is the queried moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.nodes import SimulatedNode

MOST_POINTS = 11_000
#: Metric of the Kiosk's redis_exporter script.
QUEUES = "redis_script_value"
_QUERY = re.compile(r"\s*(?:(timestamp)\s*\(\s*)?([a-zA-Z_:]\w*)\s*(?:\{([^{}]*)\})?\s*\)?\s*")
_MATCHER = re.compile(r'\s*(\w+)\s*=\s*"([^"]*)"\s*')
_OF_THE_SCRAPE = {"instance": "10.8.0.9:8080", "job": "kube-state-metrics"}


class BadQuery(ValueError):
    """Query that this Prometheus cannot parse, or must not answer."""


class _Query(NamedTuple):
    metric: str
    wants_time: bool
    matchers: Mapping[str, str]


def instant(cluster: Cluster, query: str, at: float, now: float) -> dict[str, Any]:
    """``data`` of ``/api/v1/query``.

    Raises:
        BadQuery: The query is invalid.

    """
    parsed = _parsed(query)
    if parsed.metric == QUEUES:
        return {"resultType": "vector", "result": _queues(cluster, parsed, at, now)}
    results = [
        {"metric": labels, "value": _sample(at, value, parsed, now)}
        for node, labels, value in _series(cluster, parsed)
        if _is_there(node, min(at, now))
    ]
    return {"resultType": "vector", "result": results}


def _queues(cluster: Cluster, parsed: _Query, at: float, now: float) -> list[dict[str, Any]]:
    """Keys in each queue now, whatever the queried moment."""
    queue_name = parsed.matchers.get("key")
    return [
        {
            "metric": {"__name__": QUEUES, "key": name, "job": "redis-exporter"},
            "value": _sample(at, float(length), parsed, now),
        }
        for name, length in cluster.keys_in_queues(now).items()
        if queue_name in (None, name)
    ]


def over_time(
    cluster: Cluster, query: str, now: float, *, start: float, end: float, step: float
) -> dict[str, Any]:
    """``data`` of ``/api/v1/query_range``.

    Raises:
        BadQuery: The query is invalid.

    """
    parsed = _parsed(query)
    if step <= 0 or end < start:
        raise BadQuery("invalid parameter: the step must be above 0, the end after the start")
    if (end - start) / step > MOST_POINTS:
        raise BadQuery("exceeded maximum resolution of 11,000 points per timeseries")
    moments = [start + step * n for n in range(int((end - start) / step) + 1)]
    results = []
    for node, labels, value in _series(cluster, parsed):
        present = [at for at in moments if _is_there(node, min(at, now))]
        if present:
            values = [_sample(at, value, parsed, now) for at in present]
            results.append({"metric": labels, "values": values})
    return {"resultType": "matrix", "result": results}


def _parsed(query: str) -> _Query:
    match = _QUERY.fullmatch(query)
    if not match:
        raise BadQuery("the simulated Prometheus knows plain metrics and timestamp() of them")
    matchers = {}
    for part in filter(str.strip, (match[3] or "").split(",")):
        matcher = _MATCHER.fullmatch(part)
        if not matcher:
            raise BadQuery(f'the simulated Prometheus knows matchers such as a="b", not {part!r}')
        matchers[matcher[1]] = matcher[2]
    return _Query(match[2], bool(match[1]), matchers)


def _sample(at: float, value: float, parsed: _Query, now: float) -> list[Any]:
    return [at, repr(min(at, now) if parsed.wants_time else value)]


def _is_there(node: SimulatedNode, at: float) -> bool:
    return node.created_at <= at and (node.deleted_at is None or at < node.deleted_at)


def _series(
    cluster: Cluster, parsed: _Query
) -> Iterator[tuple[SimulatedNode, dict[str, str], float]]:
    for node in (*cluster.fleet.cpu_nodes, *cluster.fleet.history):
        labelled_value = _labels(cluster, node, parsed.metric)
        if labelled_value is None:
            continue
        labels, value = labelled_value
        labels |= {"node": node.name} | _OF_THE_SCRAPE
        if all(labels.get(name, "") == text for name, text in parsed.matchers.items()):
            name = {} if parsed.wants_time else {"__name__": parsed.metric}
            yield node, name | labels, value


def _labels(
    cluster: Cluster, node: SimulatedNode, metric: str
) -> tuple[dict[str, str], float] | None:
    """Labels and value of a metric of kube-state-metrics 2; None for others."""
    settings = cluster.settings
    if metric == "kube_node_created":
        return {}, float(int(node.created_at))  # Kubernetes reports whole seconds
    if metric == "kube_node_info":
        return {"provider_id": f"gce://simulated/{settings.region}-a/{node.name}"}, 1.0
    if metric == "kube_node_status_capacity":
        count = 1.0 if node.accelerator else 0.0
        return {"resource": "nvidia_com_gpu", "unit": "integer"}, count
    if metric == "kube_node_labels":
        labels = {
            "label_node_kubernetes_io_instance_type": node.machine_type,
            "label_topology_kubernetes_io_region": settings.region,
            "label_topology_kubernetes_io_zone": f"{settings.region}-a",
        }
        if node.accelerator:
            labels["label_cloud_google_com_gke_accelerator"] = node.accelerator
            if settings.spot:
                labels["label_cloud_google_com_gke_spot"] = "true"
        return labels, 1.0
    return None
