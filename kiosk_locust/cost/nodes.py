"""Properties of each node: machine type, place, spot, GPUs, and OpenCost's price."""

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
#: The same labels as in kube-state-metrics' allowlist argument.
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
    """One life of a node and its properties; unknown texts are empty."""

    life: Life
    declared_type: NodeType | None  # the user's declaration of it
    machine_type: str
    region: str
    zone: str
    spot: bool
    accelerator: str
    gpus: int
    is_gpu: bool
    gpus_assumed: bool  # it has an accelerator, but its GPU count is unknown
    opencost_usd: float | None  # an hour, all in; the mean over its life
    opencost_gpu_usd: float | None  # an hour, of one GPU
    opencost_gpus: float | None

    @property
    def kind(self) -> str:
        """Its type as shown: ``n1-highmem-2 + 1 nvidia-tesla-t4, spot``."""
        words = self.machine_type or "unknown type"
        if self.is_gpu and not includes_gpus(self.machine_type):
            words += f" + {self.gpus} {self.accelerator or 'GPU'}"
        return f"{words}, spot" if self.spot else words


def includes_gpus(machine_type: str) -> bool:
    """Tell if the price of a machine type includes its GPUs."""
    return bool(_WITH_GPUS.match(machine_type))


def nodes(
    series: ClusterSeries, node_types: Sequence[NodeType] = ()
) -> tuple[tuple[Node, ...], Census]:
    """Every life of every node in order of creation, and the census.

    The user's declarations (``node_types``) override labels.
    """
    node_census = census(series)
    node_series = _NodeSeries(series)
    return tuple(_node(life, node_series, node_types) for life in node_census.lives), node_census


class _NodeSeries:
    """Series by node name, for each metric."""

    def __init__(self, series: ClusterSeries) -> None:
        self.info = _by_node(series.kube_node_info)
        self.labels = _by_node(series.kube_node_labels)
        self.gpus = _by_node(
            capacity
            for capacity in series.kube_node_status_capacity
            if capacity.labels.get("resource") == GPU_RESOURCE
        )
        self.total_usd = _by_node(series.node_total_hourly_cost)
        self.gpu_usd = _by_node(series.node_gpu_hourly_cost)
        self.gpu_count = _by_node(series.node_gpu_count)


def _by_node(series_list: Iterable[Series]) -> Mapping[str, list[Series]]:
    by_node: dict[str, list[Series]] = defaultdict(list)
    for series in series_list:
        by_node[node_name(series.labels)].append(series)
    return by_node


def _node(life: Life, node_series: _NodeSeries, node_types: Sequence[NodeType]) -> Node:
    provider_id = _label(life, node_series.info, ("provider_id",))
    place = _PLACE.match(provider_id)
    declared = next(
        (declared for declared in node_types if declared.matches(life.node, provider_id)), None
    )
    machine_type = (
        declared.machine_type if declared else _label(life, node_series.labels, MACHINE_TYPE)
    )
    accelerator = _label(life, node_series.labels, ACCELERATOR)
    if declared and declared.accelerator:
        accelerator = declared.accelerator
    gpus = int(max(_values(life, node_series.gpus), default=0))
    if declared and declared.gpus is not None:
        gpus = declared.gpus
    is_gpu = bool(gpus or accelerator or includes_gpus(machine_type))
    in_name = _GPUS_IN_NAME.search(machine_type) if includes_gpus(machine_type) else None
    return Node(
        life=life,
        declared_type=declared,
        machine_type=machine_type.lower(),
        region=(declared.region if declared else "")
        or _label(life, node_series.labels, REGION)
        or (place[2] if place else ""),
        zone=_label(life, node_series.labels, ZONE) or (place[1] if place else ""),
        spot=declared.spot if declared else _is_spot(life, node_series),
        accelerator=accelerator.lower(),
        gpus=gpus or (int(in_name[1]) if in_name else int(is_gpu)),
        is_gpu=is_gpu,
        gpus_assumed=is_gpu and not gpus and not includes_gpus(machine_type),
        opencost_usd=_mean(life, node_series.total_usd),
        opencost_gpu_usd=_mean(life, node_series.gpu_usd),
        opencost_gpus=_mean(life, node_series.gpu_count),
    )


def _is_spot(life: Life, node_series: _NodeSeries) -> bool:
    return _label(life, node_series.labels, SPOT).lower() == "true" or _label(
        life, node_series.labels, PROVISIONING
    ).lower() in ("spot", "preemptible")


def _label(life: Life, by_node: Mapping[str, list[Series]], names: tuple[str, ...]) -> str:
    """Newest value of the first of ``names`` that the node's series carry; empty if none."""
    of_node = by_node.get(life.node, [])
    of_life = [series for series in of_node if operator.lt(*_bounds(life, series))] or of_node
    of_life = sorted(of_life, key=lambda series: (_last(series), sorted(series.labels.items())))
    for series in reversed(of_life):
        for name in names:
            if series.labels.get(name):
                return series.labels[name]
    return ""


def _last(series: Series) -> float:
    return series.samples[-1][0] if series.samples else -math.inf


def _values(life: Life, by_node: Mapping[str, list[Series]]) -> list[float]:
    return [value for series in by_node.get(life.node, []) for value in _during(life, series)]


def _during(life: Life, series: Series) -> list[float]:
    """Finite values of a series within a life."""
    start, end = _bounds(life, series)
    return [value for _, value in series.samples[start:end] if math.isfinite(value)]


def _bounds(life: Life, series: Series) -> tuple[int, int]:
    """Index range of a life's samples; samples that the lookback shows after it are left out."""
    ended_at = math.inf if life.ended_at is None else life.ended_at
    start = bisect_left(series.samples, life.created_at, key=_at)
    return start, bisect_right(series.samples, ended_at, key=_at)


def _at(sample: tuple[float, float]) -> float:
    return sample[0]


def _mean(life: Life, by_node: Mapping[str, list[Series]]) -> float | None:
    """Mean of a price over a life; None if no value is above 0."""
    values = [value for value in _values(life, by_node) if value > 0]
    return math.fsum(values) / len(values) if values else None
