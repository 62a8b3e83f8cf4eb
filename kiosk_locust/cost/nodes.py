"""What each node was: machine type, place, spot or not, GPUs, and OpenCost's price of it."""

from __future__ import annotations

import math
import operator
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kiosk_locust.cost.node_lifetimes import Census, Life, census, node_name
from kiosk_locust.cost.series import ClusterSeries, Series
from kiosk_locust.model.node_type import NodeType

#: Labels of nodes as kube-state-metrics exports them; the new name, then the old one.
MACHINE_TYPE = ("label_node_kubernetes_io_instance_type", "label_beta_kubernetes_io_instance_type")
REGION = ("label_topology_kubernetes_io_region", "label_failure_domain_beta_kubernetes_io_region")
ZONE = ("label_topology_kubernetes_io_zone", "label_failure_domain_beta_kubernetes_io_zone")
SPOT = ("label_cloud_google_com_gke_spot", "label_cloud_google_com_gke_preemptible")
PROVISIONING = ("label_cloud_google_com_gke_provisioning",)
ACCELERATOR = ("label_cloud_google_com_gke_accelerator",)
#: The same as kube-state-metrics must be told of them.
ALLOWED = (
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "cloud.google.com/gke-spot",
    "cloud.google.com/gke-preemptible",
    "cloud.google.com/gke-provisioning",
    "cloud.google.com/gke-accelerator",
)
GPU_RESOURCE = "nvidia_com_gpu"

#: Accelerator-optimized machine types (a2, a3, a4x, g2, …) come with their GPUs, which their
#: price includes. g1 is the old shared-core family, and has none.
_WITH_GPUS = re.compile(r"(?:a[2-9]\d*|g[2-9]\d*)x?-")
_GPUS_IN_NAME = re.compile(r"-(\d+)g\b")  # a2-highgpu-4g
_PLACE = re.compile(r"gce://[^/]*/(([a-z0-9-]+)-[a-z])/")  # of a provider id on GKE


@dataclass(frozen=True, slots=True)
class Node:
    """One life of a node, and what is known of it; texts are empty where nothing is."""

    life: Life
    told: NodeType | None  # what the user said of it
    machine_type: str
    region: str
    zone: str
    spot: bool
    accelerator: str
    gpus: int
    is_gpu: bool
    gpus_assumed: bool  # it has an accelerator, but nobody counted how many
    opencost_usd: float | None  # an hour, all in; the mean over its life
    opencost_gpu_usd: float | None  # an hour, of one GPU
    opencost_gpus: float | None

    @property
    def kind(self) -> str:
        """Its type in words: ``n1-highmem-2 + 1 nvidia-tesla-t4, spot``."""
        words = self.machine_type or "unknown type"
        if self.is_gpu and not includes_gpus(self.machine_type):
            words += f" + {self.gpus} {self.accelerator or 'GPU'}"
        return f"{words}, spot" if self.spot else words


def includes_gpus(machine_type: str) -> bool:
    """Whether the price of a machine type includes its GPUs."""
    return bool(_WITH_GPUS.match(machine_type))


def nodes(
    series: ClusterSeries, node_types: Sequence[NodeType] = ()
) -> tuple[tuple[Node, ...], Census]:
    """Every life of every node, by birth, and when somebody looked.

    What the user says of nodes stands above their labels.
    """
    looked = census(series)
    known = _Known(series)
    return tuple(_node(life, known, node_types) for life in looked.lives), looked


class _Known:
    """The series about each node, by metric."""

    def __init__(self, series: ClusterSeries) -> None:
        self.info = _by_node(series.kube_node_info)
        self.labels = _by_node(series.kube_node_labels)
        self.gpus = _by_node(
            found
            for found in series.kube_node_status_capacity
            if found.labels.get("resource") == GPU_RESOURCE
        )
        self.total_usd = _by_node(series.node_total_hourly_cost)
        self.gpu_usd = _by_node(series.node_gpu_hourly_cost)
        self.gpu_count = _by_node(series.node_gpu_count)


def _by_node(found: Iterable[Series]) -> Mapping[str, list[Series]]:
    by_node: dict[str, list[Series]] = defaultdict(list)
    for one in found:
        by_node[node_name(one.labels)].append(one)
    return by_node


def _node(life: Life, known: _Known, node_types: Sequence[NodeType]) -> Node:
    provider_id = _label(life, known.info, ("provider_id",))
    place = _PLACE.match(provider_id)
    told = next((told for told in node_types if told.matches(life.node, provider_id)), None)
    machine_type = told.machine_type if told else _label(life, known.labels, MACHINE_TYPE)
    accelerator = _label(life, known.labels, ACCELERATOR)
    if told and told.accelerator:
        accelerator = told.accelerator
    gpus = int(max(_values(life, known.gpus), default=0))
    if told and told.gpus is not None:
        gpus = told.gpus
    is_gpu = bool(gpus or accelerator or includes_gpus(machine_type))
    in_name = _GPUS_IN_NAME.search(machine_type) if includes_gpus(machine_type) else None
    return Node(
        life=life,
        told=told,
        machine_type=machine_type.lower(),
        region=(told.region if told else "")
        or _label(life, known.labels, REGION)
        or (place[2] if place else ""),
        zone=_label(life, known.labels, ZONE) or (place[1] if place else ""),
        spot=told.spot if told else _is_spot(life, known),
        accelerator=accelerator.lower(),
        gpus=gpus or (int(in_name[1]) if in_name else int(is_gpu)),
        is_gpu=is_gpu,
        gpus_assumed=is_gpu and not gpus and not includes_gpus(machine_type),
        opencost_usd=_mean(life, known.total_usd),
        opencost_gpu_usd=_mean(life, known.gpu_usd),
        opencost_gpus=_mean(life, known.gpu_count),
    )


def _is_spot(life: Life, known: _Known) -> bool:
    return _label(life, known.labels, SPOT).lower() == "true" or _label(
        life, known.labels, PROVISIONING
    ).lower() in ("spot", "preemptible")


def _label(life: Life, by_node: Mapping[str, list[Series]], names: tuple[str, ...]) -> str:
    """What the series of a life say; the newest one's word counts, and the first name's."""
    found = by_node.get(life.node, [])
    of_life = [one for one in found if operator.lt(*_bounds(life, one))] or found
    of_life = sorted(of_life, key=lambda one: (_last(one), sorted(one.labels.items())))
    for one in reversed(of_life):
        for name in names:
            if one.labels.get(name):
                return one.labels[name]
    return ""


def _last(found: Series) -> float:
    return found.samples[-1][0] if found.samples else -math.inf


def _values(life: Life, by_node: Mapping[str, list[Series]]) -> list[float]:
    return [value for one in by_node.get(life.node, []) for value in _during(life, one)]


def _during(life: Life, found: Series) -> list[float]:
    """The values within a life."""
    start, end = _bounds(life, found)
    return [value for _, value in found.samples[start:end] if math.isfinite(value)]


def _bounds(life: Life, found: Series) -> tuple[int, int]:
    """Where a life's samples begin and end; those a lookback shows after it are left out."""
    ended_at = math.inf if life.ended_at is None else life.ended_at
    start = bisect_left(found.samples, life.created_at, key=_at)
    return start, bisect_right(found.samples, ended_at, key=_at)


def _at(sample: tuple[float, float]) -> float:
    return sample[0]


def _mean(life: Life, by_node: Mapping[str, list[Series]]) -> float | None:
    """The mean of a price over a life; None where there is none above 0."""
    values = [value for value in _values(life, by_node) if value > 0]
    return math.fsum(values) / len(values) if values else None
