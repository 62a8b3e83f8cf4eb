"""Values of a cost estimate; US dollars, hours, epoch seconds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """A counted time span; epoch seconds."""

    start_at: float
    end_at: float

    @property
    def seconds(self) -> float:
        """Length in seconds, at least 0."""
        return max(0.0, self.end_at - self.start_at)


@dataclass(frozen=True, slots=True)
class WorkDone:
    """Work of the nodes in a window; costs are divided by ``jobs`` and ``images``."""

    jobs: int = 0  # done, wholly or partly
    images: int = 0  # done
    images_stored: int | None = None  # that the bucket held and consumers read; None: ``images``
    stored_bytes: float | None = None  # of those; None: 1.5 MB each
    bucket_region: str = ""  # such as us-west1; empty: not known, or a multi-region
    first_submitted_at: float | None = None  # epoch seconds
    last_closed_at: float | None = None  # end of the last job, epoch seconds
    images_planned: int = 0  # of ``images``: by IMAGES_PER_JOB, as the Kiosk counted none
    jobs_uncounted: int = 0  # of ``jobs``: their images are not known, so there are more images


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """Cost of the bucket, USD; see `kiosk_locust.cost.network`."""

    operations_usd: float
    storage_usd: float
    reads_usd: float | None  # between regions; None: the bucket's region is not known
    stored_bytes: float

    @property
    def usd(self) -> float:
        """Sum of its parts, USD."""
        return self.operations_usd + self.storage_usd + (self.reads_usd or 0.0)


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One life of one node and its cost; USD are None where it has no price."""

    name: str
    machine_type: str  # empty: not known
    region: str
    zone: str
    spot: bool
    accelerator: str  # empty: none, or not known
    gpus: int
    is_gpu: bool
    created_at: float  # epoch seconds, from Kubernetes
    ended_at: float | None  # estimated; None: it was there when the data ended
    was_there: bool  # before the run
    stayed: bool  # was there before the run and when the data ended
    hours: float  # within the run's window
    usd: float | None
    usd_per_hour: float | None
    price_source: str
    price_date: str  # in the source's notation; empty: undated
    full_hours: float | None  # from the run's start to the scale-down; None: not counted
    full_usd: float | None
    lacks: str  # why there is no price, and what to add; empty: it has one


@dataclass(frozen=True, slots=True)
class CostFigure:
    """Cost over one window; a lower bound if ``at_least`` is true."""

    name: str  # "run", "fully loaded" or "marginal"
    meaning: str
    window: Window
    cpu_nodes_usd: float | None  # None: there were such nodes, and none of them has a price
    gpu_nodes_usd: float | None
    network_usd: float | None  # None: left out
    total_usd: float | None  # None: nothing is known of the nodes
    at_least: bool  # a part of the cost is missing
    usd_per_job: float | None
    usd_per_image: float | None
    usd_per_million_images: float | None


@dataclass(frozen=True, slots=True)
class Count:
    """Number of nodes of each type from ``at`` on."""

    at: float  # epoch seconds
    nodes: Mapping[str, int]  # by type, such as ``n1-highmem-2 + 1 nvidia-tesla-t4, spot``


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Autoscaler figures; None where unknown or not applicable."""

    nodes: tuple[Count, ...]
    first_gpu_node_s: float | None  # from the first submission; 0: it was there already
    scale_down_s: float | None  # from the last job's end to the end of the run's last GPU node
    gpu_busy_hours: float | None  # node hours in which any GPU of the node was used
    gpu_idle_hours: float | None
    gpu_unmeasured_hours: float | None  # node hours of GPU nodes without utilization samples


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Cost of a run, with its parts, assumptions and limits."""

    run: CostFigure
    fully_loaded: CostFigure | None  # None: it was not counted beyond the run's end
    marginal: CostFigure | None
    nodes: tuple[NodeCost, ...]
    network: NetworkCost | None  # of the run's window
    autoscaler: Autoscaler
    work: WorkDone
    reasons: tuple[str, ...]  # why figures are lower bounds, and how to complete them
    notes: tuple[str, ...]  # assumptions
    left_out: tuple[str, ...]
    sources: tuple[str, ...]  # of the prices, with their dates

    @property
    def at_least(self) -> bool:
        """True if the run's figure is a lower bound."""
        return self.run.at_least

    def legacy_fields(self) -> dict[str, Any]:
        """The older client's three keys, and ``costs_are_at_least``."""
        return {
            "cpu_node_cost": _text(self.run.cpu_nodes_usd),
            "gpu_node_cost": _text(self.run.gpu_nodes_usd),
            "total_node_and_networking_costs": _text(self.run.total_usd),
            "costs_are_at_least": self.at_least,
        }

    def as_json(self) -> dict[str, Any]:
        """The estimate as plain dicts, lists and numbers."""
        document: dict[str, Any] = _plain(dataclasses.asdict(self))
        if self.network is not None:
            document["network"]["usd"] = self.network.usd
        return {"at_least": self.at_least} | document


#: Values in the results if the cost was not queried, or no answer came.
UNKNOWN: Mapping[str, Any] = {
    "cpu_node_cost": "",
    "gpu_node_cost": "",
    "total_node_and_networking_costs": "",
    "costs_are_at_least": None,
}


def _text(usd: float | None) -> str:
    return "" if usd is None else str(usd)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
