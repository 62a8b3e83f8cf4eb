"""Time series as Prometheus answers them; what asks for them and what reads them share this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels, and samples as (epoch seconds, value), in order of time."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ClusterSeries:
    """What a Prometheus knows of a cluster's nodes over a window, sampled each ``step_s`` seconds.

    Each field holds the series of the metric that it names, from kube-state-metrics 2.x and,
    where OpenCost runs, from OpenCost; it is empty where there are none.
    """

    start_at: float  # of the first sample asked for, epoch seconds
    end_at: float  # of the last
    step_s: float
    kube_node_created: tuple[Series, ...] = ()
    #: ``timestamp(kube_node_created)``: each value is when the sample was really scraped. The
    #: samples of the series above may be up to 5 minutes older than their times (lookback).
    scraped_at: tuple[Series, ...] = ()
    kube_node_info: tuple[Series, ...] = ()
    kube_node_labels: tuple[Series, ...] = ()
    kube_node_status_capacity: tuple[Series, ...] = ()
    node_total_hourly_cost: tuple[Series, ...] = ()
    node_gpu_hourly_cost: tuple[Series, ...] = ()
    node_gpu_count: tuple[Series, ...] = ()
    gpu_utilization: tuple[Series, ...] = ()  # DCGM_FI_DEV_GPU_UTIL, percent, by node or Hostname
