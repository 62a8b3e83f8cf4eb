"""Cost estimate of a run, from the Prometheus series of its cluster."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk_locust.cost.autoscaler import autoscaler, nodes_added, scaled_down_at
from kiosk_locust.cost.caveats import (
    assumption_notes,
    exclusions,
    image_notes,
    lower_bound_reasons,
    sources,
)
from kiosk_locust.cost.network import network_cost
from kiosk_locust.cost.nodes import Node, nodes
from kiosk_locust.cost.priced_nodes import PricedNode, figure, node_cost
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries
from kiosk_locust.cost.types import CostEstimate, CostFigure, Window, WorkDone
from kiosk_locust.model.node_type import NodeType

RUN = "all nodes of the cluster, in the run's window"
FULLY_LOADED = "all nodes of the cluster, from the run's start to the scale-down"
MARGINAL = "without the nodes that were there before the run and stayed"


def estimate(
    series: ClusterSeries,
    run: Window,
    work: WorkDone,
    book: PriceBook,
    *,
    node_types: Sequence[NodeType] = (),
    network: bool = True,
    seen_to: float | None = None,
) -> CostEstimate:
    """Cost of a run.

    Costs are counted over the run's window, and also to the scale-down or to ``seen_to``.

    Args:
        series: The nodes' series, which must cover ``run``.
        run: The run's window.
        work: Jobs and images that share the cost.
        book: Price tables.
        node_types: The user's declarations of nodes, which override their labels.
        network: Include the bucket's cost.
        seen_to: Last moment for which nodes were observed (epoch seconds); default: the series'
            end.

    """
    seen_to = max(run.end_at, series.end_at if seen_to is None else seen_to)
    cluster_nodes, node_census = nodes(series, node_types)
    still_up = _still_up(cluster_nodes, run, seen_to)
    full = _full_window(cluster_nodes, run, seen_to)
    widest = full or run
    priced_nodes = _priced_nodes(cluster_nodes, book, run, widest, seen_to)
    regions = {priced.node.region for priced in priced_nodes if priced.node.region}

    def sum_of(
        name: str, meaning: str, window: Window, *, included: Sequence[PricedNode]
    ) -> CostFigure:
        is_watched = not node_census.unwatched_s(window.start_at, window.end_at)
        return figure(
            name,
            meaning,
            window,
            included,
            network=network_cost(work, window, regions) if network else None,
            work=work,
            is_known=bool(priced_nodes),
            is_whole=bool(priced_nodes) and is_watched and (window is run or not still_up),
        )

    net = network_cost(work, run, regions) if network else None
    unwatched_s = node_census.unwatched_s(widest.start_at, widest.end_at)
    return CostEstimate(
        run=sum_of("run", RUN, run, included=priced_nodes),
        fully_loaded=sum_of("fully loaded", FULLY_LOADED, full, included=priced_nodes)
        if full
        else None,
        marginal=sum_of(
            "marginal",
            MARGINAL,
            widest,
            included=[priced for priced in priced_nodes if not priced.stayed],
        ),
        nodes=tuple(node_cost(priced, run, full) for priced in priced_nodes),
        network=net,
        autoscaler=autoscaler(series, cluster_nodes, run, widest, work),
        work=work,
        reasons=lower_bound_reasons(priced_nodes, widest, unwatched_s, still_up if full else []),
        notes=(
            *assumption_notes(priced_nodes, node_types, [] if full else still_up),
            *image_notes(work),
        ),
        left_out=exclusions(net),
        sources=sources(priced_nodes),
    )


def is_idle(series: ClusterSeries, run: Window, node_types: Sequence[NodeType] = ()) -> bool:
    """Tell if the scale-down is over: every GPU node that came with the run is gone.

    Call it repeatedly with series from before the run's start to now. If no node has a known GPU,
    all nodes that came with the run are awaited.
    """
    cluster_nodes, _ = nodes(series, node_types)
    return not _still_up(cluster_nodes, run, max(run.end_at, series.end_at))


def _still_up(cluster_nodes: Sequence[Node], run: Window, seen_to: float) -> list[Node]:
    return [
        node
        for node in nodes_added(cluster_nodes, run)
        if node.life.created_at <= seen_to
        and (node.life.ended_at is None or node.life.ended_at > seen_to)
    ]


def _full_window(cluster_nodes: Sequence[Node], run: Window, seen_to: float) -> Window | None:
    """From the run's start to the scale-down, or to the end of the observation.

    None if nodes were not observed beyond the run.
    """
    if _still_up(cluster_nodes, run, seen_to):
        return Window(run.start_at, seen_to) if seen_to > run.end_at else None
    gone_at = scaled_down_at(cluster_nodes, run, seen_to)
    return Window(run.start_at, max(run.end_at, gone_at or run.end_at))


def _priced_nodes(
    cluster_nodes: Sequence[Node], book: PriceBook, run: Window, widest: Window, seen_to: float
) -> list[PricedNode]:
    """The nodes that existed in the widest window, with their prices."""
    return [
        PricedNode(
            node,
            book.price(node),
            was_there=node.life.created_at <= run.start_at,
            stayed=node.life.created_at <= run.start_at
            and (node.life.ended_at is None or node.life.ended_at > seen_to),
        )
        for node in cluster_nodes
        if node.life.seconds_in(widest.start_at, widest.end_at) > 0
    ]
