"""Collection of all time series that an estimate needs from a Prometheus."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from kiosk_locust.cost.grid import Grid, covering
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.errors import CostError

SCRAPED_AT = "timestamp(kube_node_created)"
#: Query for each field of `ClusterSeries`.
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
#: Also sample shortly before the window, so that a node removed just before it is seen as removed.
LEAD_S = 60.0
#: Range of past samples from which the scrape interval is measured.
LOOKED_BACK_S = 600
COMMON_INTERVAL_S = 30.0
#: The next scrape is awaited for this many intervals, but no longer than PATIENCE_S.
PATIENCE_INTERVALS = 2.0
PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Scrapes:
    """Last scrape of the nodes (epoch seconds; None: never) and the scrape interval."""

    last_at: float | None
    interval_s: float

    @property
    def patience_s(self) -> float:
        """Longest wait for the next scrape, in seconds."""
        return min(PATIENCE_INTERVALS * self.interval_s, PATIENCE_S)


def cluster_series(prometheus: Prometheus, start_at: float, end_at: float) -> ClusterSeries:
    """The nodes' series from shortly before ``start_at`` to ``end_at`` (epoch seconds).

    Raises:
        CostError: The Prometheus does not answer, or has no node metrics: they have other names
            there, or are not collected.

    """
    grid = covering(start_at - LEAD_S, end_at)
    series = {field: prometheus.query_range(query, grid) for field, query in QUERIES.items()}
    if not series["kube_node_created"]:
        raise CostError(
            "the Prometheus knows no nodes in the time of the run (kube_node_created is empty):"
            " let it scrape kube-state-metrics, or name another one by PROMETHEUS_URL; where it"
            " is scraped, this machine's clock or the Prometheus's is wrong"
        )
    return ClusterSeries(float(grid.start_at), float(grid.end_at), float(grid.step_s), **series)


def last_scrape(prometheus: Prometheus, now: float) -> float | None:
    """Time of the latest scrape of any node, epoch seconds; None: none is recent."""
    return max(_values(prometheus.query(SCRAPED_AT, now)), default=None)


def scrapes(prometheus: Prometheus, now: float) -> Scrapes:
    """Last scrape and median scrape interval; `COMMON_INTERVAL_S` if there are too few scrapes."""
    end_at = int(now)
    series_list = prometheus.query_range(SCRAPED_AT, Grid(end_at - LOOKED_BACK_S, end_at, 5))
    gaps = []
    for series in series_list:
        moments = sorted(set(_values((series,))))
        gaps += [later - at for at, later in itertools.pairwise(moments)]
    gaps.sort()
    interval_s = gaps[len(gaps) // 2] if gaps else COMMON_INTERVAL_S
    return Scrapes(max(_values(series_list), default=None), interval_s)


def _values(series_list: tuple[Series, ...]) -> list[float]:
    return [value for series in series_list for _, value in series.samples]
