"""Where the cost of a run is asked for: the Grafana and the Prometheus that settings name."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.clock import Clock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.grafana import find_prometheus
from kiosk_locust.cost.http import Endpoint, Web
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import CostError

CLUSTER_VARIABLE = "KUBERNETES_SERVICE_HOST"
#: Grafana's service in a Kiosk's cluster, by the older name of its chart and by today's.
DEFAULT_HOSTS = ("prometheus-operator-grafana", "kube-prometheus-stack-grafana")
GRAFANA_LOGIN = "GRAFANA_USER and GRAFANA_PASSWORD, or GRAFANA_TOKEN"
PROMETHEUS_LOGIN = "PROMETHEUS_USER and PROMETHEUS_PASSWORD, or PROMETHEUS_TOKEN"


@dataclass(frozen=True, slots=True)
class Source:
    """Base URLs, without a slash at their end; empty: there is none."""

    grafana: str = ""
    prometheus: str = ""

    def __bool__(self) -> bool:
        return bool(self.grafana or self.prometheus)


def in_cluster(environ: Mapping[str, str]) -> bool:
    """Tell if this process is in a cluster, by the variables that Kubernetes sets in it."""
    return bool(environ.get(CLUSTER_VARIABLE))


def default_source(environ: Mapping[str, str]) -> Source:
    """The Grafana of the cluster that this process is in; none where it is in no cluster.

    Elsewhere these names are not even looked up: somebody's network may answer any name.
    """
    if in_cluster(environ):
        for name in DEFAULT_HOSTS:
            try:
                socket.getaddrinfo(name, 80)
            except OSError:
                continue
            return Source(grafana=f"http://{name}")
    return Source()


class Asked:
    """The two servers of a source, with their logins; to be closed."""

    def __init__(self, source: Source, secrets: Secrets, clock: Clock) -> None:
        self._clock = clock
        self.grafana: Web | None = None
        self._prometheus: Web | None = None
        if source.grafana:
            target = Endpoint("GRAFANA_HOST", source.grafana, GRAFANA_LOGIN)
            self.grafana = Web(target, secrets.grafana, clock)
        if source.prometheus:
            target = Endpoint("PROMETHEUS_URL", source.prometheus, PROMETHEUS_LOGIN)
            self._prometheus = Web(target, secrets.prometheus, clock)

    def prometheus(self) -> Prometheus:
        """PROMETHEUS_URL, else what is behind Grafana; CostError where it cannot be asked."""
        if self._prometheus is not None:
            return Prometheus(self._prometheus)
        if self.grafana is not None:
            return find_prometheus(self.grafana, self._clock.now())
        raise CostError("there is nobody to ask: set GRAFANA_HOST or PROMETHEUS_URL")

    @property
    def open(self) -> Web | None:
        """Whom a question is open to now; None: nobody is waited for."""
        asked = (web for web in (self._prometheus, self.grafana) if web is not None and web.open_s)
        return next(asked, None)

    def __str__(self) -> str:
        """Who is asked, as results and messages name it."""
        web = self._prometheus or self.grafana
        return str(web.target) if web else ""

    def close(self) -> None:
        """Close kept connections."""
        for web in (self.grafana, self._prometheus):
            if web is not None:
                web.close()
