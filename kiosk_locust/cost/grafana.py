"""The Prometheus behind a Grafana: found among its data sources, asked through its proxy.

Grafana's API is documented at https://grafana.com/docs/grafana/latest/developers/http_api/. The
proxy is asked by a data source's uid (since Grafana 9), or where that is unknown by its number,
a route that Grafana 13 turns off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kiosk_locust.cost.http import Web
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.errors import CostError, CostRefused

#: Whoever has this metric watches a cluster's nodes.
PROBE = "kube_node_created"
#: How an old Grafana answers a route that it does not know, or takes for another one.
NO_SUCH_ROUTE = frozenset({400, 404, 500})


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data source of type prometheus; ``uid`` is empty in a Grafana that knows none."""

    name: str
    uid: str
    number: int | None
    is_default: bool

    @property
    def routes(self) -> list[str]:
        """The proxy's paths to it, the better one first."""
        by_uid = [f"/api/datasources/proxy/uid/{self.uid}"] if self.uid else []
        by_number = [] if self.number is None else [f"/api/datasources/proxy/{self.number}"]
        return by_uid + by_number


def find_prometheus(web: Web, now: float) -> Prometheus:
    """The Prometheus of a Grafana that knows nodes; the default one if several do, or none.

    Raises CostError where there is none, or none can be asked.
    """
    sources = data_sources(web)
    if not sources:
        raise CostError(
            f"{web.target} has no data source of type prometheus that this account may see: add"
            " the cluster's Prometheus to Grafana, or set PROMETHEUS_URL to ask it directly"
        )
    found: list[Prometheus] = []
    troubles: list[CostError] = []
    for source in sources:
        try:
            prometheus, knows_nodes = _reached(web, source, now)
        except CostError as error:
            troubles.append(error)
            continue
        if knows_nodes:
            return prometheus
        found.append(prometheus)
    if not found:
        raise troubles[0]
    return found[0]


def data_sources(web: Web) -> list[DataSource]:
    """All of type prometheus, the default one first; raises CostError."""
    listed = web.get("/api/datasources")
    if not isinstance(listed, list):
        raise CostError(f"{web.target} does not list data sources: is it a Grafana?")
    found = list(_sources(listed))
    return sorted(found, key=lambda source: not source.is_default)


def _sources(listed: list[Any]) -> Iterator[DataSource]:
    for each in listed:
        if isinstance(each, dict) and each.get("type") == "prometheus":
            number = each.get("id")
            yield DataSource(
                name=str(each.get("name", "")),
                uid=str(each.get("uid") or ""),
                number=number if isinstance(number, int) else None,
                is_default=bool(each.get("isDefault")),
            )


def _reached(web: Web, source: DataSource, now: float) -> tuple[Prometheus, bool]:
    """A data source by the first route that answers, and whether it knows nodes."""
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
