"""What a course costs: the model's node lives, priced as the nodes of a real run are.

Prices, sums and the bucket are the package's own (`kiosk_locust.cost`); lives are those of the
model, exact, where a real run has to estimate them from scrapes. Traffic between zones is left
out of a real run's cost, since nobody can see it; here it is a part of its own, by the formula
with which the Kiosk's authors worked out theirs (vanvalenlab/publication-figures,
2020-Bannon_et_al-Kiosk, extra_network_costs)::

    traffic = images * 3 * 11,010,048 bytes * (1 - 1 / zones) * 0.01 USD / 10^9 bytes

An image goes to TensorFlow Serving as a tiled array of 32-bit numbers of that size, and two
such come back; with nodes spread evenly, that share of it crosses zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiosk_locust.cost.caveats import sources
from kiosk_locust.cost.network import network_cost
from kiosk_locust.cost.node_lifetimes import Life
from kiosk_locust.cost.nodes import Node, includes_gpus
from kiosk_locust.cost.priced_nodes import Costed, figure
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.types import CostFigure, Window, WorkDone
from kiosk_locust.planning.simulation import ForecastCourse
from kiosk_locust.simulator import nodes as simulated

PAYLOAD_BYTES = 11_010_048  # an image as TensorFlow Serving is sent it, and each of its answers
PAYLOADS = 3
BETWEEN_ZONES_USD = 0.01  # a GB
GB = 1e9


@dataclass(frozen=True, slots=True)
class Bill:
    """What a course costs, in US dollars."""

    run: CostFigure  # all nodes, to the last job's end; without the traffic
    fully_loaded: CostFigure | None  # to the scale-down; None: GPU nodes stay
    zone_traffic_usd: float | None  # None: left out
    gpu_node_hours: float  # in the run's window
    cpu_node_hours: float
    images: int
    lacking: tuple[str, ...]  # what has no price, and what to add
    sources: tuple[str, ...]  # of the prices, with their dates

    @property
    def total_usd(self) -> float | None:
        """The run's figure with the traffic; None where nothing is priced."""
        return self._with_traffic(self.run)

    @property
    def fully_loaded_usd(self) -> float | None:
        """The same to the scale-down."""
        return self._with_traffic(self.fully_loaded)

    @property
    def usd_per_image(self) -> float | None:
        """The total, shared among the images that were done."""
        total = self.total_usd
        return total / self.images if total is not None and self.images else None

    def _with_traffic(self, found: CostFigure | None) -> float | None:
        if found is None or found.total_usd is None:
            return None
        return found.total_usd + (self.zone_traffic_usd or 0.0)


def bill(course: ForecastCourse, book: PriceBook) -> Bill:
    """Price a course."""
    plan = course.plan
    costed = [
        Costed(node, book.price(node), was_there=node.life.created_at <= 0.0, stayed=False)
        for node in _nodes(course)
    ]
    run = Window(0.0, course.makespan_s)
    gone_at = course.scaled_down_s
    full = None if gone_at is None else Window(0.0, max(gone_at, course.makespan_s))
    work = WorkDone(
        jobs=course.jobs_done,
        images=course.images_done,
        images_stored=plan.images,
        bucket_region=plan.cluster.region,
    )

    def sum_of(name: str, meaning: str, window: Window) -> CostFigure:
        regions = {plan.cluster.region}
        network = network_cost(work, window, regions) if plan.network else None
        return figure(
            name, meaning, window, costed, network=network, work=work, is_known=True, is_whole=True
        )

    return Bill(
        run=sum_of("run", "all nodes, to the last job's end", run),
        fully_loaded=sum_of("fully loaded", "all nodes, to the scale-down", full) if full else None,
        zone_traffic_usd=zone_traffic_usd(plan.images, plan.zones) if plan.network else None,
        gpu_node_hours=sum(one.hours_in(run) for one in costed if one.node.is_gpu),
        cpu_node_hours=sum(one.hours_in(run) for one in costed if not one.node.is_gpu),
        images=course.images_done,
        lacking=tuple(sorted({one.price.lacks for one in costed if one.price.lacks})),
        sources=sources(costed),
    )


def zone_traffic_usd(images: int, zones: int) -> float:
    """What the traffic between consumers and GPU nodes in several zones costs."""
    crossing = 1 - 1 / zones
    return images * PAYLOADS * PAYLOAD_BYTES / GB * BETWEEN_ZONES_USD * crossing


def _nodes(course: ForecastCourse) -> Iterator[Node]:
    """The cluster's nodes as the estimate knows them."""
    plan, cluster = course.plan, course.plan.cluster
    for node in course.cpu_nodes:
        yield _node(node, node.name, node.machine_type, cluster.region)
    for node in course.gpu_nodes:
        yield _node(
            node, node.name, node.machine_type, cluster.region,
            accelerator=node.accelerator, spot=cluster.spot,
        )  # fmt: skip
        for number in range(plan.consumer_nodes):
            yield _node(
                node, f"{node.name}-consumers-{number}", plan.consumer_machine_type,
                cluster.region, spot=plan.consumer_spot,
            )  # fmt: skip


def _node(
    node: simulated.SimulatedNode, name: str, machine_type: str, region: str, *,
    accelerator: str = "", spot: bool = False,
) -> Node:  # fmt: skip
    machine_type = machine_type.lower()
    is_gpu = bool(accelerator) or includes_gpus(machine_type)
    return Node(
        life=Life(name, node.created_at, node.deleted_at),
        told=None,
        machine_type=machine_type,
        region=region,
        zone="",
        spot=spot,
        accelerator=accelerator.lower(),
        gpus=int(is_gpu),
        is_gpu=is_gpu,
        gpus_assumed=False,
        opencost_usd=None,
        opencost_gpu_usd=None,
        opencost_gpus=None,
    )
