"""Texts about an estimate's limits: missing figures, assumptions, exclusions, and their fixes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from kiosk_locust.cost.nodes import ALLOWED, Node
from kiosk_locust.cost.priced_nodes import PricedNode
from kiosk_locust.cost.types import NetworkCost, Window, WorkDone
from kiosk_locust.model.node_type import EXAMPLE, NodeType

#: The argument of kube-state-metrics 2.x that makes it export the labels that prices need.
ALLOWLIST = f"nodes=[{','.join(ALLOWED)}]"
LABELS_SETTING = (
    "kube-state-metrics exports no labels of nodes unless it is started with "
    f"--metric-labels-allowlist={ALLOWLIST}; in the values of the chart kube-prometheus-stack: "
    f'kube-state-metrics: {{metricLabelsAllowlist: ["{ALLOWLIST}"]}}. '
    f"Meanwhile --node-type says what nodes are, such as --node-type '{EXAMPLE}'"
)
NO_NODES = (
    "Prometheus knows of no node in this time (kube_node_created has no samples): is "
    "kube-state-metrics running, and scraped?"
)
LEFT_OUT = (
    "the cluster's management fee",
    "disks: boot disks, persistent volumes",
    "load balancers, addresses, traffic to the internet and between zones",
    "logging and monitoring of the cloud's own",
    "what machines cost before they were nodes, and after",
    "discounts, credits and taxes",
)
NO_NETWORK = "the bucket's storage and requests (--no-network-cost)"
NO_READS = (
    "reads between regions, where the bucket is in another than the nodes (0.01 USD a GB): "
    "its region is not known"
)
_SHOWN = 5  # node names listed in one line


def exclusions(network: NetworkCost | None) -> tuple[str, ...]:
    """Cost items that no figure includes."""
    if network is None:
        return (*LEFT_OUT, NO_NETWORK)
    return (*LEFT_OUT, NO_READS) if network.reads_usd is None else LEFT_OUT


def image_notes(work: WorkDone) -> tuple[str, ...]:
    """Notes about image counts that the Kiosk did not supply."""
    notes = []
    if work.images_planned:
        notes.append(
            f"{work.images_planned:,} of {work.images:,} images are planned ones (IMAGES_PER_JOB):"
            " the Kiosk counted none in their jobs"
        )
    if work.jobs_uncounted:
        notes.append(
            f"the Kiosk counted no images in {work.jobs_uncounted:,} of {work.jobs:,} jobs that"
            " were done, so there are at least so many images, and one costs at most so much; set"
            " IMAGES_PER_JOB"
        )
    return tuple(notes)


def sources(costed: Sequence[PricedNode]) -> tuple[str, ...]:
    """Price sources in use, each with its date."""
    labels = {
        f"{node.price.source} ({node.price.date or 'undated'})"
        for node in costed
        if node.price.usd_per_hour is not None
    }
    return tuple(sorted(labels))


def lower_bound_reasons(
    costed: Sequence[PricedNode], window: Window, unwatched_s: float, still_up: Sequence[Node]
) -> tuple[str, ...]:
    """Reasons why figures are lower bounds, each with its fix.

    Args:
        costed: The nodes that existed in the window.
        window: The widest window that is counted.
        unwatched_s: Seconds of it without samples of nodes.
        still_up: Nodes of the run that were up when counting ended.

    """
    return tuple(_lower_bound_reasons(costed, window, unwatched_s, still_up))


def _lower_bound_reasons(
    costed: Sequence[PricedNode], window: Window, unwatched_s: float, still_up: Sequence[Node]
) -> Iterator[str]:
    if not costed:
        yield NO_NODES
    lacking: dict[str, list[PricedNode]] = defaultdict(list)
    for node in costed:
        if node.price.usd_per_hour is None:
            lacking[node.price.lacks].append(node)
    for lacks, group in sorted(lacking.items()):
        hours = math.fsum(node.hours_in(window) for node in group)
        yield f"{_number(len(group))} ({hours:.3g} h; {_names(group)}) without a price: {lacks}"
    if any(not node.node.machine_type and node.price.usd_per_hour is None for node in costed):
        yield LABELS_SETTING
    if unwatched_s > 0:
        yield (
            f"no samples of nodes for {unwatched_s:.0f} s of this time: nodes that came and went "
            "meanwhile are not counted"
        )
    if still_up:
        yield f"{_stayed_up(still_up)} when counting ended: --cost-tail until-idle waits for all"


def assumption_notes(
    costed: Sequence[PricedNode], node_types: Sequence[NodeType], still_up: Sequence[Node]
) -> tuple[str, ...]:
    """Assumptions behind the estimate, and inputs that had no effect."""
    lines = []
    matching_types = [node.node.declared_type for node in costed]
    assumed = [node for node in costed if node.node.gpus_assumed]
    if assumed:
        lines.append(
            f"{_number(len(assumed))} ({_names(assumed)}) with an accelerator that nobody counted "
            "(kube_node_status_capacity has no nvidia_com_gpu): 1 GPU each is assumed"
        )
    lines += [
        f"--node-type {node_type} matches no node"
        for node_type in node_types
        if node_type not in matching_types
    ]
    if still_up:
        lines.append(
            f"{_stayed_up(still_up)} when the run ended, and went on costing: --cost-tail "
            "until-idle counts to the scale-down"
        )
    return tuple(lines)


def _stayed_up(nodes: Sequence[Node]) -> str:
    return f"{_number(len(nodes))} that came with the run stood"


def _number(nodes: int) -> str:
    return f"{nodes:,} node" if nodes == 1 else f"{nodes:,} nodes"


def _names(nodes: Sequence[PricedNode]) -> str:
    names = sorted({node.node.life.node for node in nodes})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
