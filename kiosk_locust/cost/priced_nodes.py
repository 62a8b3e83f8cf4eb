"""Nodes with their prices, and cost sums over time windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kiosk_locust.cost.nodes import Node
from kiosk_locust.cost.prices import Price
from kiosk_locust.cost.types import MILLION, CostFigure, NetworkCost, NodeCost, Window, WorkDone

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class PricedNode:
    """A node and its price.

    ``was_there``: it existed before the run; ``stayed``: it also outlived the observation.
    """

    node: Node
    price: Price
    was_there: bool
    stayed: bool

    def hours_in(self, window: Window) -> float:
        """Hours of the node's life within a window."""
        return self.node.life.seconds_in(window.start_at, window.end_at) / HOUR_S

    def usd_in(self, window: Window) -> float | None:
        """Cost within a window, USD; None if the node has no price."""
        price = self.price.usd_per_hour
        return None if price is None else price * self.hours_in(window)


def figure(
    name: str,
    meaning: str,
    window: Window,
    nodes: Sequence[PricedNode],
    *,
    network: NetworkCost | None,
    work: WorkDone,
    is_known: bool,
    is_whole: bool,
) -> CostFigure:
    """Cost of ``nodes`` within a window.

    Args:
        name: ``run``, ``fully loaded`` or ``marginal``.
        meaning: One line about what the sum includes.
        window: The time that is counted.
        nodes: Nodes to sum over; those outside the window are skipped.
        network: The bucket's cost; None leaves it out.
        work: Jobs and images that share the cost.
        is_known: The cluster has any known node.
        is_whole: No part of the window is missing.

    """
    inside = [node for node in nodes if node.hours_in(window) > 0]
    cpu = _sum([node.usd_in(window) for node in inside if not node.node.is_gpu])
    gpu = _sum([node.usd_in(window) for node in inside if node.node.is_gpu])
    priced = [node for node in inside if node.price.usd_per_hour is not None]
    total = None
    if is_known and (priced or not inside):
        total = (cpu or 0.0) + (gpu or 0.0) + (network.usd if network else 0.0)
    return CostFigure(
        name=name,
        meaning=meaning,
        window=window,
        cpu_nodes_usd=cpu if is_known else None,
        gpu_nodes_usd=gpu if is_known else None,
        network_usd=network.usd if network else None,
        total_usd=total,
        at_least=not is_whole or len(priced) < len(inside),
        usd_per_job=_per_unit(total, work.jobs),
        usd_per_image=_per_unit(total, work.images),
        usd_per_million_images=_per_unit(total, work.images, MILLION),
    )


def _sum(costs: Sequence[float | None]) -> float | None:
    """Sum of the known costs; None if there are costs and none is known."""
    known_costs = [usd for usd in costs if usd is not None]
    return None if costs and not known_costs else math.fsum(known_costs)


def _per_unit(usd: float | None, units: int, scale: int = 1) -> float | None:
    return None if usd is None or units <= 0 else usd / units * scale


def node_cost(priced: PricedNode, run: Window, full: Window | None) -> NodeCost:
    """Report entry of a node.

    Args:
        priced: The node.
        run: The run's window.
        full: The window to the scale-down, if it is counted.

    """
    node, price = priced.node, priced.price
    return NodeCost(
        name=node.life.node,
        machine_type=node.machine_type,
        region=node.region,
        zone=node.zone,
        spot=node.spot,
        accelerator=node.accelerator,
        gpus=node.gpus,
        is_gpu=node.is_gpu,
        created_at=node.life.created_at,
        ended_at=node.life.ended_at,
        was_there=priced.was_there,
        stayed=priced.stayed,
        hours=priced.hours_in(run),
        usd=priced.usd_in(run),
        usd_per_hour=price.usd_per_hour,
        price_source=price.source,
        price_date=price.date,
        full_hours=priced.hours_in(full) if full else None,
        full_usd=priced.usd_in(full) if full else None,
        lacks=price.lacks,
    )
