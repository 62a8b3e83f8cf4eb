"""From what a Prometheus knows of a cluster to what a run cost."""

from __future__ import annotations

from collections.abc import Sequence

from kiosk_locust.cost.autoscaler import added, autoscaler, scaled_down_at
from kiosk_locust.cost.caveats import image_notes, left_out, notes, reasons, sources
from kiosk_locust.cost.network import network_cost
from kiosk_locust.cost.node_types import NodeType
from kiosk_locust.cost.nodes import Node, nodes
from kiosk_locust.cost.priced_nodes import Costed, figure, node_cost
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.series import ClusterSeries
from kiosk_locust.cost.types import CostEstimate, CostFigure, Window, WorkDone

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
    """What a run cost.

    ``run`` is the run's window, which must lie in the series' time; ``seen_to`` (epoch seconds)
    is how far nodes were watched after it, by default to the series' end. Costs are counted to
    the scale-down as well, or as far as nodes were watched.
    """
    seen_to = max(run.end_at, series.end_at if seen_to is None else seen_to)
    found, looked = nodes(series, node_types)
    still_up = _still_up(found, run, seen_to)
    full = _full_window(found, run, seen_to)
    widest = full or run
    costed = _costed(found, book, run, widest, seen_to)
    regions = {one.node.region for one in costed if one.node.region}

    def sum_of(name: str, meaning: str, window: Window, *, of: Sequence[Costed]) -> CostFigure:
        is_watched = not looked.unwatched_s(window.start_at, window.end_at)
        return figure(
            name,
            meaning,
            window,
            of,
            network=network_cost(work, window, regions) if network else None,
            work=work,
            is_known=bool(costed),
            is_whole=bool(costed) and is_watched and (window is run or not still_up),
        )

    net = network_cost(work, run, regions) if network else None
    unwatched_s = looked.unwatched_s(widest.start_at, widest.end_at)
    return CostEstimate(
        run=sum_of("run", RUN, run, of=costed),
        fully_loaded=sum_of("fully loaded", FULLY_LOADED, full, of=costed) if full else None,
        marginal=sum_of("marginal", MARGINAL, widest, of=[one for one in costed if not one.stayed]),
        nodes=tuple(node_cost(one, run, full) for one in costed),
        network=net,
        autoscaler=autoscaler(series, found, run, widest, work),
        work=work,
        reasons=reasons(costed, widest, unwatched_s, still_up if full else []),
        notes=(*notes(costed, node_types, [] if full else still_up), *image_notes(work)),
        left_out=left_out(net),
        sources=sources(costed),
    )


def is_idle(series: ClusterSeries, run: Window, node_types: Sequence[NodeType] = ()) -> bool:
    """Whether the scale-down is over: every GPU node that came with the run is gone.

    For waiting until idle: ask again and again with series from before the run's start to now.
    Where no node is known to have GPUs, all nodes that came with the run are waited for.
    """
    found, _ = nodes(series, node_types)
    return not _still_up(found, run, max(run.end_at, series.end_at))


def _still_up(found: Sequence[Node], run: Window, seen_to: float) -> list[Node]:
    return [
        node
        for node in added(found, run)
        if node.life.created_at <= seen_to
        and (node.life.ended_at is None or node.life.ended_at > seen_to)
    ]


def _full_window(found: Sequence[Node], run: Window, seen_to: float) -> Window | None:
    """From the run's start to the scale-down, or as far as it was watched beyond the run."""
    if _still_up(found, run, seen_to):
        return Window(run.start_at, seen_to) if seen_to > run.end_at else None
    gone_at = scaled_down_at(found, run, seen_to)
    return Window(run.start_at, max(run.end_at, gone_at or run.end_at))


def _costed(
    found: Sequence[Node], book: PriceBook, run: Window, widest: Window, seen_to: float
) -> list[Costed]:
    """The nodes that lived in the widest window, with their prices."""
    return [
        Costed(
            node,
            book.price(node),
            was_there=node.life.created_at <= run.start_at,
            stayed=node.life.created_at <= run.start_at
            and (node.life.ended_at is None or node.life.ended_at > seen_to),
        )
        for node in found
        if node.life.seconds_in(widest.start_at, widest.end_at) > 0
    ]
