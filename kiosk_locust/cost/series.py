"""Time series as Prometheus returns them, shared by collectors and estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One series: labels, and samples as (epoch seconds, value) in order of time."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ClusterSeries:
    """Series of a cluster's nodes over a window, sampled each ``step_s`` seconds.

    Each field holds the series of the metric that it is named after, from kube-state-metrics 2.x
    and, if it runs, from OpenCost; it is empty if there are none.
    """

    start_at: float  # of the first sample asked for, epoch seconds
    end_at: float  # of the last
    step_s: float
    kube_node_created: tuple[Series, ...] = ()
    #: ``timestamp(kube_node_created)``: each value is the scrape time of the sample. Samples of the
    #: series above may be up to 5 minutes older than their times (lookback).
    scraped_at: tuple[Series, ...] = ()
    kube_node_info: tuple[Series, ...] = ()
    kube_node_labels: tuple[Series, ...] = ()
    kube_node_status_capacity: tuple[Series, ...] = ()
    node_total_hourly_cost: tuple[Series, ...] = ()
    node_gpu_hourly_cost: tuple[Series, ...] = ()
    node_gpu_count: tuple[Series, ...] = ()
    gpu_utilization: tuple[Series, ...] = ()  # DCGM_FI_DEV_GPU_UTIL, percent, by node or Hostname
