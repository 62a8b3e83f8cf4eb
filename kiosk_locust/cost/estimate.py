"""From what a Prometheus knows of a cluster to what a run cost."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk_locust.cost.figures import CostEstimate, Window, Work
from kiosk_locust.cost.nodetypes import NodeType
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries


def estimate(
    series: ClusterSeries,
    run: Window,
    work: Work,
    book: PriceBook,
    *,
    node_types: Sequence[NodeType] = (),
    network: bool = True,
    seen_to: float | None = None,
) -> CostEstimate:
    """What a run cost.

    ``run`` is the run's window, which must lie in the series' time; ``seen_to`` (epoch seconds)
    is how far nodes were watched after it, by default to the series' end. Where that is later
    than the run's end, costs are also counted to the scale-down.
    """
    raise NotImplementedError


def is_idle(series: ClusterSeries, run: Window, node_types: Sequence[NodeType] = ()) -> bool:
    """Whether every GPU node is gone that was not there before the run (scale-down is over).

    For waiting until idle: ask again and again for series from before the run's start to now.
    """
    raise NotImplementedError
