"""What an estimate lacks, assumes and leaves out, in words, with what mends it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from kiosk_locust.cost.node_types import EXAMPLE, NodeType
from kiosk_locust.cost.nodes import ALLOWED, Node
from kiosk_locust.cost.priced_nodes import Costed
from kiosk_locust.cost.types import NetworkCost, Window, WorkDone

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
_SHOWN = 5  # names of nodes in a line


def left_out(network: NetworkCost | None) -> tuple[str, ...]:
    """What no figure counts."""
    if network is None:
        return (*LEFT_OUT, NO_NETWORK)
    return (*LEFT_OUT, NO_READS) if network.reads_usd is None else LEFT_OUT


def image_notes(work: WorkDone) -> tuple[str, ...]:
    """What a cost an image rests on where the Kiosk did not count all images."""
    found = []
    if work.images_planned:
        found.append(
            f"{work.images_planned:,} of {work.images:,} images are planned ones (IMAGES_PER_JOB):"
            " the Kiosk counted none in their jobs"
        )
    if work.jobs_uncounted:
        found.append(
            f"the Kiosk counted no images in {work.jobs_uncounted:,} of {work.jobs:,} jobs that"
            " were done, so there are at least so many images, and one costs at most so much; set"
            " IMAGES_PER_JOB"
        )
    return tuple(found)


def sources(costed: Sequence[Costed]) -> tuple[str, ...]:
    """Who says the prices, each with the date."""
    found = {
        f"{one.price.source} ({one.price.date or 'undated'})"
        for one in costed
        if one.price.usd_per_hour is not None
    }
    return tuple(sorted(found))


def reasons(
    costed: Sequence[Costed], window: Window, unwatched_s: float, still_up: Sequence[Node]
) -> tuple[str, ...]:
    """Why figures are "at least", and what mends it; ``window`` is the widest one counted."""
    return tuple(_reasons(costed, window, unwatched_s, still_up))


def _reasons(
    costed: Sequence[Costed], window: Window, unwatched_s: float, still_up: Sequence[Node]
) -> Iterator[str]:
    if not costed:
        yield NO_NODES
    lacking: dict[str, list[Costed]] = defaultdict(list)
    for one in costed:
        if one.price.usd_per_hour is None:
            lacking[one.price.lacks].append(one)
    for lacks, those in sorted(lacking.items()):
        hours = math.fsum(one.hours_in(window) for one in those)
        yield f"{_number(len(those))} ({hours:.3g} h; {_names(those)}) without a price: {lacks}"
    if any(not one.node.machine_type and one.price.usd_per_hour is None for one in costed):
        yield LABELS_SETTING
    if unwatched_s > 0:
        yield (
            f"no samples of nodes for {unwatched_s:.0f} s of this time: nodes that came and went "
            "meanwhile are not counted"
        )
    if still_up:
        yield f"{_stayed_up(still_up)} when counting ended: --cost-tail until-idle waits for all"


def notes(
    costed: Sequence[Costed], node_types: Sequence[NodeType], still_up: Sequence[Node]
) -> tuple[str, ...]:
    """What was assumed, and what is not told."""
    found = []
    matched = [one.node.told for one in costed]
    assumed = [one for one in costed if one.node.gpus_assumed]
    if assumed:
        found.append(
            f"{_number(len(assumed))} ({_names(assumed)}) with an accelerator that nobody counted "
            "(kube_node_status_capacity has no nvidia_com_gpu): 1 GPU each is assumed"
        )
    found += [f"--node-type {told} matches no node" for told in node_types if told not in matched]
    if still_up:
        found.append(
            f"{_stayed_up(still_up)} when the run ended, and went on costing: --cost-tail "
            "until-idle counts to the scale-down"
        )
    return tuple(found)


def _stayed_up(nodes: Sequence[Node]) -> str:
    return f"{_number(len(nodes))} that came with the run stood"


def _number(nodes: int) -> str:
    return f"{nodes:,} node" if nodes == 1 else f"{nodes:,} nodes"


def _names(those: Sequence[Costed]) -> str:
    names = sorted({one.node.life.node for one in those})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
