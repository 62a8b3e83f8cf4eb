"""Cost of a forecast: the model's node lifetimes, priced like the nodes of a real run.

Prices, sums and the bucket are the package's own (`kiosk_locust.cost`); lifetimes are the
model's own and exact, while a real run estimates them from scrapes. Traffic between zones is not
part of a real run's cost, since it cannot be observed; here it is a separate part, by the formula
of the Kiosk's authors (vanvalenlab/publication-figures,
2020-Bannon_et_al-Kiosk, extra_network_costs)::

    traffic = images * 3 * 11,010,048 bytes * (1 - 1 / zones) * 0.01 USD / 10^9 bytes

An image is sent to TensorFlow Serving as a tiled array of 32-bit numbers of that size, and two such
arrays are returned; with nodes spread evenly, that share of the traffic crosses zones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kiosk_locust.cost.caveats import sources
from kiosk_locust.cost.network import network_cost
from kiosk_locust.cost.node_lifetimes import Life
from kiosk_locust.cost.nodes import Node, includes_gpus
from kiosk_locust.cost.priced_nodes import PricedNode, figure
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.cost.types import CostFigure, Window, WorkDone
from kiosk_locust.planning.simulation import ForecastCourse
from kiosk_locust.simulator import nodes as simulated

PAYLOAD_BYTES = 11_010_048  # an image as sent to TensorFlow Serving, and each array returned
PAYLOADS = 3
BETWEEN_ZONES_USD = 0.01  # a GB
GB = 1e9


@dataclass(frozen=True, slots=True)
class Bill:
    """Cost of a forecast, in US dollars."""

    run: CostFigure  # all nodes, to the last job's end; without the traffic
    fully_loaded: CostFigure | None  # to the scale-down; None: GPU nodes stay
    zone_traffic_usd: float | None  # None: left out
    gpu_node_hours: float  # in the run's window
    cpu_node_hours: float
    images: int
    lacking: tuple[str, ...]  # missing prices, and what to add
    sources: tuple[str, ...]  # of the prices, with their dates

    @property
    def total_usd(self) -> float | None:
        """The run's figure with zone traffic; None if it has no price."""
        return self._with_traffic(self.run)

    @property
    def fully_loaded_usd(self) -> float | None:
        """Cost to the scale-down with zone traffic; None if not counted."""
        return self._with_traffic(self.fully_loaded)

    @property
    def usd_per_image(self) -> float | None:
        """Total cost divided by the images done."""
        total = self.total_usd
        return total / self.images if total is not None and self.images else None

    def _with_traffic(self, cost: CostFigure | None) -> float | None:
        if cost is None or cost.total_usd is None:
            return None
        return cost.total_usd + (self.zone_traffic_usd or 0.0)


def bill(course: ForecastCourse, book: PriceBook) -> Bill:
    """Price a simulated run."""
    plan = course.plan
    priced_nodes = [
        PricedNode(node, book.price(node), was_there=node.life.created_at <= 0.0, stayed=False)
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
            name,
            meaning,
            window,
            priced_nodes,
            network=network,
            work=work,
            is_known=True,
            is_whole=True,
        )

    return Bill(
        run=sum_of("run", "all nodes, to the last job's end", run),
        fully_loaded=sum_of("fully loaded", "all nodes, to the scale-down", full) if full else None,
        zone_traffic_usd=zone_traffic_usd(plan.images, plan.zones) if plan.network else None,
        gpu_node_hours=sum(priced.hours_in(run) for priced in priced_nodes if priced.node.is_gpu),
        cpu_node_hours=sum(
            priced.hours_in(run) for priced in priced_nodes if not priced.node.is_gpu
        ),
        images=course.images_done,
        lacking=tuple(
            sorted({priced.price.lacks for priced in priced_nodes if priced.price.lacks})
        ),
        sources=sources(priced_nodes),
    )


def zone_traffic_usd(images: int, zones: int) -> float:
    """Cost of traffic between consumers and GPU nodes in several zones."""
    crossing = 1 - 1 / zones
    return images * PAYLOADS * PAYLOAD_BYTES / GB * BETWEEN_ZONES_USD * crossing


def _nodes(course: ForecastCourse) -> Iterator[Node]:
    """The simulated nodes in the form that the cost estimate uses."""
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
        declared_type=None,
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
