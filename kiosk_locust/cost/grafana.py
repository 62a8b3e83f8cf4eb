"""Discovery of the Prometheus behind a Grafana, and queries through its data source proxy.

Grafana's API is documented at https://grafana.com/docs/grafana/latest/developers/http_api/. The
proxy is addressed by a data source's uid (since Grafana 9), or without one by its number, a route
that Grafana 13 turns off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kiosk_locust.cost.http import JsonClient
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import CostError, CostRefused

#: A Prometheus with this metric monitors a cluster's nodes.
PROBE = "kube_node_created"
#: Statuses with which an old Grafana answers a route that it does not have.
NO_SUCH_ROUTE = frozenset({400, 404, 500})


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source of type prometheus; ``uid`` is empty in a Grafana without uids."""

    name: str
    uid: str
    number: int | None
    is_default: bool

    @property
    def routes(self) -> list[str]:
        """Proxy paths to this data source, the preferred one first."""
        by_uid = [f"/api/datasources/proxy/uid/{self.uid}"] if self.uid else []
        by_number = [] if self.number is None else [f"/api/datasources/proxy/{self.number}"]
        return by_uid + by_number


def find_prometheus(web: JsonClient, now: float) -> Prometheus:
    """The Prometheus of a Grafana that has node metrics.

    Data sources are tried in order, the default one first; without node metrics in any, the first
    that answers is taken.

    Raises:
        CostError: There is none, or none can be queried.

    """
    sources = data_sources(web)
    if not sources:
        raise CostError(
            f"{web.target} has no data source of type prometheus that this account may see: add"
            " the cluster's Prometheus to Grafana, or set PROMETHEUS_URL to ask it directly"
        )
    reachable: list[Prometheus] = []
    errors: list[CostError] = []
    for source in sources:
        try:
            prometheus, knows_nodes = _first_reachable(web, source, now)
        except CostError as error:
            errors.append(error)
            continue
        if knows_nodes:
            return prometheus
        reachable.append(prometheus)
    if not reachable:
        raise errors[0]
    return reachable[0]


def data_sources(web: JsonClient) -> list[DataSource]:
    """All data sources of type prometheus, the default one first.

    Raises:
        CostError: Grafana does not list its data sources.

    """
    documents = web.get("/api/datasources")
    if not isinstance(documents, list):
        raise CostError(f"{web.target} does not list data sources: is it a Grafana?")
    sources = list(_sources(documents))
    return sorted(sources, key=lambda source: not source.is_default)


def _sources(documents: list[Any]) -> Iterator[DataSource]:
    for document in documents:
        if isinstance(document, dict) and document.get("type") == "prometheus":
            number = document.get("id")
            yield DataSource(
                name=str(document.get("name", "")),
                uid=str(document.get("uid") or ""),
                number=number if isinstance(number, int) else None,
                is_default=bool(document.get("isDefault")),
            )


def _first_reachable(web: JsonClient, source: DataSource, now: float) -> tuple[Prometheus, bool]:
    """Prometheus at the first route that answers, and True if it has node metrics."""
    refused: CostRefused | None = None
    for route in source.routes:
        prometheus = Prometheus(web, route)
        try:
            return prometheus, bool(prometheus.query(PROBE, now))
        except CostRefused as error:
            refused = refused or error
            if error.status not in NO_SUCH_ROUTE:
                break
    raise refused or CostError(f"{web.target}: data source {source.name!r} has neither uid nor id")
