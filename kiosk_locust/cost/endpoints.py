"""The Grafana and Prometheus servers that settings name, as sources of cost data."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.clock import Clock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.grafana import find_prometheus
from kiosk_locust.cost.http import Endpoint, JsonClient
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import CostError

CLUSTER_VARIABLE = "KUBERNETES_SERVICE_HOST"
#: Grafana's service in a Kiosk's cluster, by the older name of its chart and by today's.
DEFAULT_HOSTS = ("prometheus-operator-grafana", "kube-prometheus-stack-grafana")
GRAFANA_LOGIN = "GRAFANA_USER and GRAFANA_PASSWORD, or GRAFANA_TOKEN"
PROMETHEUS_LOGIN = "PROMETHEUS_USER and PROMETHEUS_PASSWORD, or PROMETHEUS_TOKEN"


@dataclass(frozen=True, slots=True)
class Source:
    """Base URLs without a trailing slash; empty: none."""

    grafana: str = ""
    prometheus: str = ""

    def __bool__(self) -> bool:
        return bool(self.grafana or self.prometheus)


def in_cluster(environ: Mapping[str, str]) -> bool:
    """Tell if this process runs in a cluster, by the variables that Kubernetes sets."""
    return bool(environ.get(CLUSTER_VARIABLE))


def default_source(environ: Mapping[str, str]) -> Source:
    """The Grafana of the cluster that this process runs in; empty outside a cluster.

    Outside, the names are not looked up: a local network may resolve any name.
    """
    if in_cluster(environ):
        for name in DEFAULT_HOSTS:
            try:
                socket.getaddrinfo(name, 80)
            except OSError:
                continue
            return Source(grafana=f"http://{name}")
    return Source()


class CostServers:
    """HTTP clients for the two servers of a source, with their logins.

    Close it after use.
    """

    def __init__(self, source: Source, secrets: Secrets, clock: Clock) -> None:
        self._clock = clock
        self.grafana: JsonClient | None = None
        self._prometheus: JsonClient | None = None
        if source.grafana:
            target = Endpoint("GRAFANA_HOST", source.grafana, GRAFANA_LOGIN)
            self.grafana = JsonClient(target, secrets.grafana, clock)
        if source.prometheus:
            target = Endpoint("PROMETHEUS_URL", source.prometheus, PROMETHEUS_LOGIN)
            self._prometheus = JsonClient(target, secrets.prometheus, clock)

    def prometheus(self) -> Prometheus:
        """Prometheus at PROMETHEUS_URL, else the one behind Grafana.

        Raises:
            CostError: No server is set, or it cannot be queried.

        """
        if self._prometheus is not None:
            return Prometheus(self._prometheus)
        if self.grafana is not None:
            return find_prometheus(self.grafana, self._clock.now())
        raise CostError("there is nobody to ask: set GRAFANA_HOST or PROMETHEUS_URL")

    @property
    def open(self) -> JsonClient | None:
        """Client whose request is unanswered at present; None if no request is open."""
        waiting = (
            web for web in (self._prometheus, self.grafana) if web is not None and web.open_s
        )
        return next(waiting, None)

    def __str__(self) -> str:
        """Name of the queried server, for results and messages."""
        web = self._prometheus or self.grafana
        return str(web.target) if web else ""

    def close(self) -> None:
        """Close pooled connections."""
        for web in (self.grafana, self._prometheus):
            if web is not None:
                web.close()
