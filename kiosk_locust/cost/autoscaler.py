"""Autoscaler figures: node counts over time, delay of the first GPU node, scale-down delay."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from kiosk_locust.cost.node_lifetimes import node_name
from kiosk_locust.cost.nodes import Node
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.cost.types import Autoscaler, Count, Window, WorkDone

MAX_COUNTS = 200  # of node counts over time; with more changes, evenly spaced moments are sampled
HOUR_S = 3600.0


def nodes_added(nodes: Sequence[Node], run: Window) -> list[Node]:
    """Nodes created after the run's start: GPU nodes, or all where no node has a known GPU."""
    any_gpu = any(node.is_gpu for node in nodes)
    return [
        node
        for node in nodes
        if node.life.created_at > run.start_at and (node.is_gpu or not any_gpu)
    ]


def scaled_down_at(nodes: Sequence[Node], run: Window, seen_to: float) -> float | None:
    """Removal time of the run's last GPU node, epoch seconds.

    None if one of them was still up at ``seen_to``, or if none was added.
    """
    ends = [
        node.life.ended_at for node in nodes_added(nodes, run) if node.life.created_at <= seen_to
    ]
    removals = [end for end in ends if end is not None and end <= seen_to]
    return max(removals) if removals and len(removals) == len(ends) else None


def autoscaler(
    series: ClusterSeries, nodes: Sequence[Node], run: Window, full: Window, work: WorkDone
) -> Autoscaler:
    """Autoscaler figures over ``full``, the window from the run's start to the scale-down."""
    busy_s, idle_s, unmeasured_s = _gpu_seconds(series, nodes, run)
    measured = busy_s + idle_s > 0
    gone_at = scaled_down_at(nodes, run, full.end_at)
    return Autoscaler(
        nodes=_node_counts(nodes, full),
        first_gpu_node_s=_first_gpu_node_s(nodes, work, full),
        scale_down_s=None
        if gone_at is None or work.last_closed_at is None
        else max(0.0, gone_at - work.last_closed_at),
        gpu_busy_hours=busy_s / HOUR_S if measured else None,
        gpu_idle_hours=idle_s / HOUR_S if measured else None,
        gpu_unmeasured_hours=unmeasured_s / HOUR_S if measured else None,
    )


def _first_gpu_node_s(nodes: Sequence[Node], work: WorkDone, full: Window) -> float | None:
    since = work.first_submitted_at
    if since is None:
        return None
    waits = [
        max(0.0, node.life.created_at - since)
        for node in nodes
        if node.is_gpu
        and node.life.created_at <= full.end_at
        and (node.life.ended_at is None or node.life.ended_at > since)
    ]
    return min(waits, default=None)


def _node_counts(nodes: Sequence[Node], window: Window) -> tuple[Count, ...]:
    """Number of nodes of each type, at each change."""
    lives = [node for node in nodes if node.life.seconds_in(window.start_at, window.end_at) > 0]
    changes = {window.start_at}
    for node in lives:
        changes |= {
            moment
            for moment in (node.life.created_at, node.life.ended_at)
            if moment is not None and window.start_at < moment <= window.end_at
        }
    moments = sorted(changes)
    if len(moments) > MAX_COUNTS:
        step = (len(moments) - 1) / (MAX_COUNTS - 1)
        moments = [moments[round(number * step)] for number in range(MAX_COUNTS)]
    return tuple(Count(moment, _count_by_type(lives, moment)) for moment in moments)


def _count_by_type(lives: Sequence[Node], moment: float) -> dict[str, int]:
    counted = Counter(
        node.kind
        for node in lives
        if node.life.created_at <= moment
        and (node.life.ended_at is None or node.life.ended_at > moment)
    )
    return dict(sorted(counted.items()))


def _gpu_seconds(
    series: ClusterSeries, nodes: Sequence[Node], run: Window
) -> tuple[float, float, float]:
    """Seconds of GPU nodes in the run's window: busy, idle, not measured.

    A node is busy at a sample in which any of its GPUs is above 0 %. The share of busy samples is
    taken as the share of its time.
    """
    busy_s, idle_s, unmeasured_s = [], [], []
    for node in nodes:
        seconds = node.life.seconds_in(run.start_at, run.end_at)
        if node.is_gpu and seconds > 0:
            share = _busy_share(node, series.gpu_utilization, run)
            if share is None:
                unmeasured_s.append(seconds)
            else:
                busy_s.append(share * seconds)
                idle_s.append((1 - share) * seconds)
    return math.fsum(busy_s), math.fsum(idle_s), math.fsum(unmeasured_s)


def _busy_share(node: Node, utilization: Sequence[Series], run: Window) -> float | None:
    busiest: dict[float, float] = {}
    start_at = max(run.start_at, node.life.created_at)
    end_at = run.end_at if node.life.ended_at is None else min(run.end_at, node.life.ended_at)
    for series in utilization:
        if node.life.node in (node_name(series.labels), series.labels.get("Hostname")):
            for at, value in series.samples:
                if start_at <= at <= end_at and math.isfinite(value):
                    busiest[at] = max(busiest.get(at, 0.0), value)
    if not busiest:
        return None
    return sum(value > 0 for value in busiest.values()) / len(busiest)
