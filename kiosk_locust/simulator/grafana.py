"""The cluster's Grafana: one data source, its proxy, and annotations."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from kiosk_locust.simulator.answers import NOT_FOUND, SimulatedAnswer, json_answer
from kiosk_locust.simulator.cluster import Cluster
from kiosk_locust.simulator.metrics import BadQuery, instant, over_time

UID = "simulated-prometheus"
PROXY = f"/api/datasources/proxy/uid/{UID}"
DATA_SOURCE = {
    "id": 1,
    "uid": UID,
    "name": "Prometheus",
    "type": "prometheus",
    "access": "proxy",
    "isDefault": True,
}
PATHS = ("/api/datasources", "/api/annotations", "/api/health", PROXY)


class Grafana:
    """Responses of a Grafana without login; ``annotations`` holds the received ones."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.annotations: list[Any] = []

    @staticmethod
    def serves(path: str) -> bool:
        """Tell if a path belongs to Grafana, not to the Kiosk."""
        return path in PATHS[:3] or path.startswith("/api/datasources/")

    def answer(
        self, method: str, path: str, query: bytes, body: bytes, now: float
    ) -> SimulatedAnswer:
        """Response to one request; ``query`` is the part after the question mark."""
        if (method, path) == ("POST", "/api/annotations"):
            return self._annotate(body)
        if method != "GET":
            return NOT_FOUND
        if path == "/api/health":
            return json_answer({"database": "ok", "version": "simulated"})
        if path == "/api/datasources":
            return json_answer([DATA_SOURCE])
        if path == "/api/annotations":
            return json_answer(self.annotations)
        return self._proxied(path.removeprefix(PROXY), query, now)

    def _annotate(self, body: bytes) -> SimulatedAnswer:
        try:
            annotation = json.loads(body)
        except ValueError:
            return json_answer({"message": "bad request data"}, 400)
        self.annotations.append(annotation)
        number = len(self.annotations)
        return json_answer({"message": "Annotation added", "id": number})

    def _proxied(self, call: str, query: bytes, now: float) -> SimulatedAnswer:
        self._cluster.advance(now)
        parameters = {name: texts[-1] for name, texts in parse_qs(query.decode("latin-1")).items()}
        try:
            if call == "/api/v1/query":
                at = float(parameters.get("time", now))
                data = instant(self._cluster, parameters["query"], at, now)
            elif call == "/api/v1/query_range":
                start, end, step = (float(parameters[name]) for name in ("start", "end", "step"))
                data = over_time(
                    self._cluster, parameters["query"], now, start=start, end=end, step=step
                )
            else:
                return NOT_FOUND
        except KeyError as missing:
            return _bad_data(f"the parameter {missing} is missing")
        except BadQuery as error:
            return _bad_data(str(error))
        except ValueError:
            return _bad_data("a parameter is no number")
        return json_answer({"status": "success", "data": data})


def _bad_data(text: str) -> SimulatedAnswer:
    return json_answer({"status": "error", "errorType": "bad_data", "error": text}, 400)
