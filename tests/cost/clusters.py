"""Small clusters, as series; one call says all of one node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kiosk_locust.cost.series import ClusterSeries, Series

ZERO = 1_700_000_000.0
STEP_S = 15.0


def every(
    start_s: float, end_s: float, value: float, step_s: float = STEP_S
) -> list[tuple[float, float]]:
    """Samples of one value, at times counted from ZERO; both ends are included."""
    count = int((end_s - start_s) // step_s)
    return [(ZERO + start_s + number * step_s, value) for number in range(count + 1)]


@dataclass
class Cluster:
    """Collects series; all times in seconds from ZERO."""

    end_s: float = 600.0
    found: dict[str, list[Series]] = field(default_factory=lambda: defaultdict(list))

    def add(self, metric: str, samples: Iterable[tuple[float, float]], **labels: str) -> None:
        """Add one series."""
        self.found[metric].append(Series(labels, tuple(samples)))

    def node(
        self,
        name: str,
        *,
        born_s: float = -1000.0,
        seen: tuple[float, float] | None = None,
        gpus: int = 0,
        provider_id: str = "",
        pod: str = "ksm-1",
        labels: dict[str, str] | None = None,
    ) -> None:
        """A node that was scraped from ``seen[0]`` to ``seen[1]``, by default to the end."""
        start_s, end_s = seen or (max(0.0, -(-born_s // STEP_S) * STEP_S), self.end_s)
        self.add("kube_node_created", every(start_s, end_s, ZERO + born_s), node=name, pod=pod)
        ones = every(start_s, end_s, 1.0)
        if provider_id:
            self.add("kube_node_info", ones, node=name, pod=pod, provider_id=provider_id)
        if labels is not None:
            named = {f"label_{label}": value for label, value in labels.items()}
            self.add("kube_node_labels", ones, node=name, pod=pod, **named)
        if gpus:
            counts = every(start_s, end_s, float(gpus))
            self.add(
                "kube_node_status_capacity", counts, node=name, pod=pod, resource="nvidia_com_gpu"
            )

    def series(self) -> ClusterSeries:
        """All of it."""
        found = {metric: tuple(those) for metric, those in self.found.items()}
        return ClusterSeries(ZERO, ZERO + self.end_s, STEP_S, **found)


def labels(
    machine_type: str,
    *,
    spot: bool = False,
    accelerator: str = "",
    region: str = "us-west1",
    others: Sequence[tuple[str, str]] = (),
) -> dict[str, str]:
    """Labels of a node under their new names."""
    found = {
        "node_kubernetes_io_instance_type": machine_type,
        "topology_kubernetes_io_region": region,
        **dict(others),
    }
    if spot:
        found["cloud_google_com_gke_spot"] = "true"
    if accelerator:
        found["cloud_google_com_gke_accelerator"] = accelerator
    return found
