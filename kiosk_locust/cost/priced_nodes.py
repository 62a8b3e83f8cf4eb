"""Nodes with their prices, and sums over windows of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from kiosk_locust.cost.nodes import Node
from kiosk_locust.cost.prices import Price
from kiosk_locust.cost.types import MILLION, CostFigure, NetworkCost, NodeCost, Window, WorkDone

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Costed:
    """A node and its price; ``was_there`` before the run, and ``stayed`` to the data's end."""

    node: Node
    price: Price
    was_there: bool
    stayed: bool

    def hours_in(self, window: Window) -> float:
        """How long it lived in a window."""
        return self.node.life.seconds_in(window.start_at, window.end_at) / HOUR_S

    def usd_in(self, window: Window) -> float | None:
        """What it cost in a window; None where it has no price."""
        price = self.price.usd_per_hour
        return None if price is None else price * self.hours_in(window)


def figure(
    name: str,
    meaning: str,
    window: Window,
    nodes: Sequence[Costed],
    *,
    network: NetworkCost | None,
    work: WorkDone,
    is_known: bool,
    is_whole: bool,
) -> CostFigure:
    """The sum over ``nodes`` in a window.

    ``is_known``: something is known of the cluster; ``is_whole``: nothing of the window is
    missing.
    """
    inside = [one for one in nodes if one.hours_in(window) > 0]
    cpu = _sum([one.usd_in(window) for one in inside if not one.node.is_gpu])
    gpu = _sum([one.usd_in(window) for one in inside if one.node.is_gpu])
    priced = [one for one in inside if one.price.usd_per_hour is not None]
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
        usd_per_job=_each(total, work.jobs),
        usd_per_image=_each(total, work.images),
        usd_per_million_images=_each(total, work.images, MILLION),
    )


def _sum(costs: Sequence[float | None]) -> float | None:
    """The sum of what is known; None where there is something, and nothing of it is known."""
    known = [usd for usd in costs if usd is not None]
    return None if costs and not known else math.fsum(known)


def _each(usd: float | None, number: int, times: int = 1) -> float | None:
    return None if usd is None or number <= 0 else usd / number * times


def node_cost(one: Costed, run: Window, full: Window | None) -> NodeCost:
    """What is told of a node; ``full`` is the window to the scale-down, where it is counted."""
    node, price = one.node, one.price
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
        was_there=one.was_there,
        stayed=one.stayed,
        hours=one.hours_in(run),
        usd=one.usd_in(run),
        usd_per_hour=price.usd_per_hour,
        price_source=price.source,
        price_date=price.date,
        full_hours=one.hours_in(full) if full else None,
        full_usd=one.usd_in(full) if full else None,
        lacks=price.lacks,
    )
