"""Hourly prices of nodes, and their sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kiosk_locust.cost.nodes import Node, includes_gpus
from kiosk_locust.cost.price_file import ANY_REGION, PriceTable, Rate, shipped

OPENCOST = "OpenCost"
AS_SCRAPED = "during the run"  # date of OpenCost's prices


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a node; if ``usd_per_hour`` is None, ``lacks`` says why and what to add."""

    usd_per_hour: float | None
    source: str = ""
    date: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All price tables; the user's file precedes OpenCost, which precedes the shipped tables."""

    user: PriceTable
    tables: PriceTable

    @classmethod
    def of(cls, user: PriceTable | None = None) -> PriceBook:
        """Book of the shipped tables, below the user's file if there is one."""
        return cls(user or PriceTable(), shipped())

    def price(self, node: Node) -> Price:
        """Hourly price of a node, or the reason why it has none.

        The user's prices of its machine type or accelerator precede OpenCost's price of the node,
        which precedes the tables. An accelerator is added unless the machine type's price includes
        it.
        """
        machine = _usd(node, self.user.machine)
        if machine is None and node.opencost_usd is not None:
            return self._by_opencost(node, node.opencost_usd)
        return self._by_tables(node, machine or _usd(node, self.tables.machine))

    def _by_opencost(self, node: Node, usd: float) -> Price:
        """OpenCost's price; the user's GPU price replaces OpenCost's where there is one."""
        gpu = _gpu_usd(node, self.user.accelerator)
        if gpu is None or node.opencost_gpu_usd is None or not node.opencost_gpus:
            return Price(usd, OPENCOST, AS_SCRAPED)
        without_gpus = max(0.0, usd - node.opencost_gpu_usd * node.opencost_gpus)
        return _sum(_Part(without_gpus, OPENCOST, AS_SCRAPED), gpu, node.gpus)

    def _by_tables(self, node: Node, machine: _Part | None) -> Price:
        if machine is None:
            return Price(None, lacks=_lacks_machine(node))
        if not node.is_gpu or includes_gpus(node.machine_type):
            return Price(machine.usd, machine.source, machine.date)
        gpu = _gpu_usd(node, self.user.accelerator) or _gpu_usd(node, self.tables.accelerator)
        if gpu is None:
            return Price(None, lacks=_lacks_gpu(node))
        return _sum(machine, gpu, node.gpus)


@dataclass(frozen=True, slots=True)
class _Part:
    """USD an hour of a machine, or of one GPU."""

    usd: float
    source: str
    date: str


def _sum(machine: _Part, gpu: _Part, gpus: int) -> Price:
    usd = machine.usd + gpu.usd * gpus
    if (machine.source, machine.date) == (gpu.source, gpu.date):
        return Price(usd, machine.source, machine.date)
    return Price(
        usd,
        f"{machine.source} + {gpu.source}",
        f"{machine.date or 'undated'} + {gpu.date or 'undated'}",
    )


_Lookup = Callable[[str, str], Rate | None]


def _usd(node: Node, look_up: _Lookup) -> _Part | None:
    return _part(look_up(node.machine_type, node.region or ANY_REGION), node.spot)


def _gpu_usd(node: Node, look_up: _Lookup) -> _Part | None:
    if not node.is_gpu or includes_gpus(node.machine_type):
        return None
    return _part(look_up(node.accelerator, node.region or ANY_REGION), node.spot)


def _part(rate: Rate | None, spot: bool) -> _Part | None:  # noqa: FBT001  one of two prices
    usd = None if rate is None else rate.spot_usd if spot else rate.on_demand_usd
    return None if rate is None or usd is None else _Part(usd, rate.source, rate.date)


def _lacks_machine(node: Node) -> str:
    if not node.machine_type:
        return "their machine type is not known"
    return _lacks("machine_type", node.machine_type, node)


def _lacks_gpu(node: Node) -> str:
    if not node.accelerator:
        return (
            f"which GPU stands beside their {node.machine_type} is not known: say it with "
            f"--node-type 'POOL={node.machine_type}+nvidia-tesla-t4', say"
        )
    return _lacks("accelerator", node.accelerator, node)


def _lacks(kind: str, name: str, node: Node) -> str:
    model = "spot" if node.spot else "on demand"
    if not node.region:
        return (
            f"their region is not known, so that {name} has no price: add it to --node-type "
            f"as @REGION, or a line to a price file (--prices) with * as region"
        )
    return (
        f"no price is known of {name}, {model}, in {node.region}: add a line to a price file "
        f"(--prices): {kind},region,on_demand_usd_per_hour,spot_usd_per_hour"
    )
