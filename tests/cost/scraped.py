"""Random histories of clusters, as a Prometheus would have scraped them, and what they truly cost.

Nothing here uses kiosk_locust: prices are read from the tables by hand, and the cost is the sum
over lives of their seconds in the window times the price.
"""

from __future__ import annotations

import bisect
import csv
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TABLES = Path(__file__).resolve().parents[2] / "kiosk_locust" / "cost" / "data"
HOUR_S = 3600.0
REGION = "us-west1"
#: Each history has the samples of so long before and after its window, and the next begins later
#: than a sample can be seen.
MARGIN_S = 900.0
APART_S = 1200.0


@dataclass(frozen=True)
class Kind:
    """What a node is made of."""

    machine_type: str
    spot: bool
    accelerator: str = ""
    gpus: int = 0


CPU_KINDS = (
    Kind("n1-standard-4", spot=False),
    Kind("e2-standard-8", spot=False),
    Kind("n1-highmem-2", spot=True),
)
GPU_KINDS = (
    Kind("n1-highmem-2", True, "nvidia-tesla-t4", 1),
    Kind("n1-highmem-2", False, "nvidia-tesla-t4", 1),
    Kind("n1-highmem-8", True, "nvidia-tesla-v100", 2),
    Kind("g2-standard-4", True, "nvidia-l4", 1),
    Kind("a2-highgpu-1g", False, "nvidia-tesla-a100", 1),
)


def _table(name: str, column: str) -> dict[tuple[str, str], dict[str, str]]:
    with (TABLES / name).open(newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {(row[column], row["region"]): row for row in rows}


def usd_per_hour(kind: Kind) -> float:
    """What such a node costs, by the shipped tables; g2 and a2 include their GPUs."""
    column = "spot_usd_per_hour" if kind.spot else "on_demand_usd_per_hour"
    machines = _table("machine_types.csv", "machine_type")
    usd = float(machines[kind.machine_type, REGION][column])
    if kind.gpus and kind.machine_type.startswith("n1-"):
        accelerators = _table("accelerators.csv", "accelerator")
        usd += kind.gpus * float(accelerators[kind.accelerator, REGION][column])
    return usd


PRICES = {kind: usd_per_hour(kind) for kind in (*CPU_KINDS, *GPU_KINDS)}


@dataclass(frozen=True)
class Lived:
    """One life of one node; epoch seconds."""

    name: str
    kind: Kind
    born_at: int
    died_at: float

    def seconds_in(self, start_at: float, end_at: float) -> float:
        return max(0.0, min(end_at, self.died_at) - max(start_at, self.born_at))


@dataclass
class History:
    """A cluster around a run's window, and when it was scraped."""

    start_at: float
    end_at: float
    interval_s: float
    lives: list[Lived] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)  # of kube-state-metrics

    @property
    def usd(self) -> float:
        """What the nodes cost in the window, exactly."""
        return math.fsum(
            PRICES[life.kind] * life.seconds_in(self.start_at, self.end_at) / HOUR_S
            for life in self.lives
        )

    @property
    def allowed_usd(self) -> float:
        """0.1 %, and for each boundary in the window the time between the scrapes around it."""
        allowed = 0.001 * self.usd
        for life in self.lives:
            for moment in (float(life.born_at), life.died_at):
                if self.start_at < moment < self.end_at:
                    allowed += PRICES[life.kind] * self._unseen_s(moment) / HOUR_S
        return allowed

    def _unseen_s(self, moment: float) -> float:
        after = bisect.bisect_left(self.scrapes, moment)
        before_at = self.scrapes[after - 1] if after else moment
        after_at = self.scrapes[after] if after < len(self.scrapes) else moment
        return max(self.interval_s, after_at - before_at)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Metric and line of OpenMetrics text, for every sample."""
        for life in self.lives:
            seen = [at for at in self.scrapes if life.born_at <= at < life.died_at]
            for at in seen:
                pod = f'pod="ksm-{bisect.bisect_right(self.restarts, at)}",node="{life.name}"'
                for metric, labels, value in _samples(life):
                    yield metric, f"{metric}{{{pod}{labels}}} {value} {at:.3f}\n"


def _samples(life: Lived) -> Iterator[tuple[str, str, str]]:
    kind = life.kind
    yield "kube_node_created", "", str(life.born_at)
    yield "kube_node_info", f',provider_id="gce://p/{REGION}-b/{life.name}"', "1"
    labels = f',label_node_kubernetes_io_instance_type="{kind.machine_type}"'
    labels += f',label_topology_kubernetes_io_region="{REGION}"'
    if kind.spot:
        labels += ',label_cloud_google_com_gke_spot="true"'
    if kind.accelerator:
        labels += f',label_cloud_google_com_gke_accelerator="{kind.accelerator}"'
    yield "kube_node_labels", labels, "1"
    if kind.gpus:
        resource = ',resource="nvidia_com_gpu",unit="integer"'
        yield "kube_node_status_capacity", resource, str(kind.gpus)


def random_history(rng: random.Random, begins_at: float, window_s: float) -> History:
    """A history whose samples begin at ``begins_at``, with a window of ``window_s``."""
    start_at = begins_at + MARGIN_S + rng.random()
    interval_s = rng.choice((15.0, 30.0, 60.0) if window_s > HOUR_S else (15.0, 30.0))
    found = History(start_at, start_at + window_s, interval_s)
    ends_at = found.end_at + MARGIN_S
    found.scrapes = _scrapes(rng, begins_at, ends_at, interval_s)
    found.restarts = sorted(
        rng.uniform(start_at, found.end_at) for _ in range(rng.choice((0, 0, 1, 2, 4)))
    )
    for restart in found.restarts:  # the new pod is scraped a little later
        away_s = rng.uniform(0.0, 3.0) * interval_s
        found.scrapes = [at for at in found.scrapes if not restart <= at < restart + away_s]
    for number in range(rng.randint(1, 3)):
        born_at = int(begins_at - rng.uniform(0, 30 * 24 * HOUR_S))
        found.lives.append(Lived(f"cpu-{number}", rng.choice(CPU_KINDS), born_at, math.inf))
    for number in range(rng.randint(0, 5)):
        found.lives += _gpu_lives(rng, f"gpu-{number}", found)
    return found


def _scrapes(
    rng: random.Random, begins_at: float, ends_at: float, interval_s: float
) -> list[float]:
    phase = rng.uniform(0.0, interval_s)
    number = int((ends_at - begins_at - phase) / interval_s) + 1
    moments = [begins_at + phase + n * interval_s for n in range(number)]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):  # a gap
        gap_at, gap_s = rng.uniform(begins_at, ends_at), rng.uniform(1.0, 6.0) * interval_s
        moments = [at for at in moments if not gap_at <= at < gap_at + gap_s]
    return moments


def _gpu_lives(rng: random.Random, name: str, around: History) -> Iterator[Lived]:
    """One life, or several under one name: preempted, and created again with another time."""
    window_s = around.end_at - around.start_at
    kind = rng.choice(GPU_KINDS)
    born_at = around.start_at + rng.uniform(-0.3, 0.9) * window_s
    for _ in range(rng.choice((1, 1, 2, 3))):
        life_s = max(45.0, rng.expovariate(1.0 / (0.5 * window_s)))
        died_at = math.inf if rng.random() < 0.25 else born_at + life_s
        yield Lived(name, kind, int(born_at), died_at)
        if died_at > around.end_at:
            return
        born_at = died_at + rng.uniform(20.0, 300.0)


def random_histories(seed: int, number: int, begins_at: float, longest_s: float) -> list[History]:
    """Histories one after the other, with windows from 30 s to ``longest_s``."""
    rng = random.Random(seed)
    found = []
    for _ in range(number):
        window_s = math.exp(rng.uniform(math.log(30.0), math.log(longest_s)))
        found.append(random_history(rng, begins_at, window_s))
        begins_at = found[-1].end_at + MARGIN_S + APART_S
    return found


def write(histories: list[History], path: Path) -> int:
    """All samples as OpenMetrics text, which wants each metric's together; returns how many."""
    parts = {}
    count = 0
    for history in histories:
        for metric, line in history.lines():
            if metric not in parts:
                parts[metric] = path.with_name(metric).open("w")
                parts[metric].write(f"# TYPE {metric} gauge\n")
            parts[metric].write(line)
            count += 1
    with path.open("w") as whole:
        for metric, part in parts.items():
            part.close()
            with path.with_name(metric).open() as lines:
                whole.writelines(lines)
            path.with_name(metric).unlink()
        whole.write("# EOF\n")
    return count
