"""All that an estimate needs of a Prometheus, and how long to wait for it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from kiosk_locust.cost.grid import Grid, covering
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.errors import CostError

SCRAPED_AT = "timestamp(kube_node_created)"
#: The field of `ClusterSeries`, and what is asked for it.
QUERIES = {
    "kube_node_created": "kube_node_created",
    "scraped_at": SCRAPED_AT,
    "kube_node_info": "kube_node_info",
    "kube_node_labels": "kube_node_labels",
    "kube_node_status_capacity": 'kube_node_status_capacity{resource="nvidia_com_gpu"}',
    "node_total_hourly_cost": "node_total_hourly_cost",
    "node_gpu_hourly_cost": "node_gpu_hourly_cost",
    "node_gpu_count": "node_gpu_count",
    "gpu_utilization": "DCGM_FI_DEV_GPU_UTIL",
}
#: A node that died right before the window must be seen to have done so.
LEAD_S = 60.0
#: From so much of the past it is told how often nodes are scraped.
LOOKED_BACK_S = 600
COMMON_INTERVAL_S = 30.0
#: The next scrape is waited for: so many intervals, but no longer than this.
PATIENCE_INTERVALS = 2.0
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Scrapes:
    """When nodes were scraped last (epoch seconds; None: never), and how often they are."""

    last_at: float | None
    interval_s: float

    @property
    def patience_s(self) -> float:
        """How long to wait for the next one at most."""
        return min(PATIENCE_INTERVALS * self.interval_s, PATIENCE_S)


def cluster_series(prometheus: Prometheus, start_at: float, end_at: float) -> ClusterSeries:
    """The series of the nodes from a moment before ``start_at`` on; raises CostError.

    Also where there are no nodes at all in them: their metrics then have other names, or are
    not collected.
    """
    grid = covering(start_at - LEAD_S, end_at)
    found = {field: prometheus.query_range(query, grid) for field, query in QUERIES.items()}
    if not found["kube_node_created"]:
        raise CostError(
            "the Prometheus knows no nodes in the time of the run (kube_node_created is empty):"
            " let it scrape kube-state-metrics, or name another one by PROMETHEUS_URL; where it"
            " is scraped, this machine's clock or the Prometheus's is wrong"
        )
    return ClusterSeries(float(grid.start_at), float(grid.end_at), float(grid.step_s), **found)


def last_scrape(prometheus: Prometheus, now: float) -> float | None:
    """When a node was scraped last, epoch seconds; None: not lately."""
    return max(_values(prometheus.query(SCRAPED_AT, now)), default=None)


def scrapes(prometheus: Prometheus, now: float) -> Scrapes:
    """What can be told of scrapes; a common interval where they are too few."""
    end_at = int(now)
    found = prometheus.query_range(SCRAPED_AT, Grid(end_at - LOOKED_BACK_S, end_at, 5))
    gaps = []
    for series in found:
        moments = sorted(set(_values((series,))))
        gaps += [later - at for at, later in itertools.pairwise(moments)]
    gaps.sort()
    interval_s = gaps[len(gaps) // 2] if gaps else COMMON_INTERVAL_S
    return Scrapes(max(_values(found), default=None), interval_s)


def _values(found: tuple[Series, ...]) -> list[float]:
    return [value for series in found for _, value in series.samples]
