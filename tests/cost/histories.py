"""Clusters whose nodes come and go, and what a Prometheus would then answer.

A history is made first; what it cost is calculated from it alone (`cost_usd`), and what a
Prometheus would know of it (`series`) by scraping it: each scrape interval, by a
kube-state-metrics that restarts, and with samples that stay visible for 5 minutes.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from kiosk_locust.cost.series import ClusterSeries, Series

LOOKBACK_S = 300.0
ZERO = 1_700_000_000.0  # epoch seconds, when histories begin

#: USD an hour, on demand and spot; no price is a round share of another.
MACHINES = {
    "n1-highmem-2": (0.1184, 0.025),
    "e2-standard-4": (0.13, 0.041),
    "g2-standard-4": (0.71, 0.28),
}
GPUS = {"nvidia-tesla-t4": (0.95, 0.29), "nvidia-tesla-v100": (2.48, 0.74)}
PRICE_FILE = "\n".join(
    [
        "# date: 2019-06-17",
        "machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour",
        *(f"{name},us-west1,{on_demand},{spot}" for name, (on_demand, spot) in MACHINES.items()),
        "accelerator,region,on_demand_usd_per_hour,spot_usd_per_hour",
        *(f"{name},us-west1,{on_demand},{spot}" for name, (on_demand, spot) in GPUS.items()),
    ]
)


@dataclass(frozen=True, slots=True)
class Past:
    """One life of a node, as it really was; epoch seconds, births whole ones."""

    name: str
    born_at: float
    died_at: float | None
    machine_type: str
    spot: bool = False
    accelerator: str = ""
    gpus: int = 0
    old_labels: bool = False

    @property
    def usd_per_hour(self) -> float:
        usd = MACHINES[self.machine_type][self.spot]
        return usd + (GPUS[self.accelerator][self.spot] * self.gpus if self.accelerator else 0.0)

    def seconds(self, start_at: float, end_at: float) -> float:
        died_at = end_at if self.died_at is None else min(self.died_at, end_at)
        return max(0.0, died_at - max(self.born_at, start_at))


@dataclass(frozen=True, slots=True)
class History:
    """What happened in a cluster, and how it was watched."""

    lives: tuple[Past, ...]
    start_at: float
    end_at: float
    interval_s: float
    phase_s: float
    restarts: tuple[tuple[float, float, bool], ...] = ()  # from, to, whether series turned stale
    stale: bool = True  # whether the series of a node that is gone are marked so

    def cost_usd(self, start_at: float, end_at: float, *, gpu: bool | None = None) -> float:
        return sum(
            life.seconds(start_at, end_at) * life.usd_per_hour / 3600
            for life in self.lives
            if gpu is None or gpu == bool(life.gpus)
        )

    @property
    def unseen_s(self) -> float:
        """How long nobody may have looked."""
        gaps = sum(to - since for since, to, _ in self.restarts)
        return self.interval_s + gaps

    def tolerance_usd(self, start_at: float, end_at: float) -> float:
        """0.1 %, and one scrape interval for each birth or death."""
        longest_s = self.unseen_s
        return 0.001 * self.cost_usd(start_at, end_at) + sum(
            longest_s * life.usd_per_hour / 3600
            for life in self.lives
            if life.died_at is not None and life.seconds(start_at, end_at + longest_s) > 0
        )


@dataclass(slots=True)
class _Scraped:
    samples: list[tuple[float, float]] = field(default_factory=list)
    stale_at: list[float] = field(default_factory=list)

    def at(self, moment: float) -> tuple[float, float] | None:
        """The newest sample that a query at ``moment`` sees."""
        seen = [s for s in self.samples if moment - LOOKBACK_S < s[0] <= moment]
        if not seen or any(seen[-1][0] < marked <= moment for marked in self.stale_at):
            return None
        return seen[-1]


def series(history: History, step_s: float = 15.0, *, seed: int = 0) -> ClusterSeries:
    """What a Prometheus answers to queries over the history's window, in any order."""
    metrics = _scrape(history)
    found: dict[str, list[Series]] = defaultdict(list)
    steps = int((history.end_at - history.start_at) // step_s)
    moments = [history.start_at + number * step_s for number in range(steps + 1)]
    if moments[-1] < history.end_at:
        moments.append(history.end_at)
    for (metric, labels), scraped in metrics.items():
        seen = [(moment, sample) for moment in moments if (sample := scraped.at(moment))]
        if seen:
            values = tuple((moment, value) for moment, (_, value) in seen)
            found[metric].append(Series({"__name__": metric, **dict(labels)}, values))
            if metric == "kube_node_created":
                times = tuple((moment, at) for moment, (at, _) in seen)
                found["scraped_at"].append(Series(dict(labels), times))
    rng = random.Random(seed)
    for those in found.values():
        rng.shuffle(those)
    return ClusterSeries(
        history.start_at,
        history.end_at,
        step_s,
        **{metric: tuple(those) for metric, those in found.items()},
    )


_Key = tuple[str, tuple[tuple[str, str], ...]]


def _scrape(history: History) -> Mapping[_Key, _Scraped]:
    found: dict[_Key, _Scraped] = defaultdict(_Scraped)
    before: set[_Key] = set()
    moment = history.start_at - 600 + history.phase_s
    pod = 0
    while moment <= history.end_at:
        down = [r for r in history.restarts if r[0] <= moment < r[1]]
        restarted = sum(since <= moment for since, _, _ in history.restarts)
        now: set[_Key] = set()
        if not down:
            for life in history.lives:
                if life.born_at <= moment and (life.died_at is None or moment < life.died_at):
                    for key, value in _exported(life, f"ksm-{restarted}"):
                        now.add(key)
                        found[key].samples.append((moment, value))
        marked = history.stale if restarted == pod else history.restarts[restarted - 1][2]
        for key in before - now:
            if marked:
                found[key].stale_at.append(moment)
        before, pod = now, restarted
        moment += history.interval_s
    return found


def _exported(life: Past, pod: str) -> list[tuple[_Key, float]]:
    of = {"node": life.name, "pod": pod, "instance": f"{pod}:8080", "job": "kube-state-metrics"}
    types = ("beta_kubernetes_io", "failure_domain_beta_kubernetes_io", "preemptible")
    if not life.old_labels:
        types = ("node_kubernetes_io", "topology_kubernetes_io", "spot")
    labels = {
        f"label_{types[0]}_instance_type": life.machine_type,
        f"label_{types[1]}_region": "us-west1",
    }
    if life.spot:
        labels[f"label_cloud_google_com_gke_{types[2]}"] = "true"
    if life.accelerator:
        labels["label_cloud_google_com_gke_accelerator"] = life.accelerator
    provider = f"gce://project/us-west1-b/{life.name}"
    rows = [
        ("kube_node_created", {}, life.born_at),
        ("kube_node_info", {"provider_id": provider}, 1.0),
        ("kube_node_labels", labels, 1.0),
        ("kube_node_status_capacity", {"resource": "cpu", "unit": "core"}, 2.0),
    ]
    if life.gpus:
        resource = {"resource": "nvidia_com_gpu", "unit": "integer"}
        rows.append(("kube_node_status_capacity", resource, float(life.gpus)))
    return [((name, tuple(sorted((of | more).items()))), value) for name, more, value in rows]


def any_history(seed: int, *, interval_s: float = 15.0) -> History:
    """A history drawn at random: 1 to 8 nodes, preempted or not, over 30 s to 1 h.

    The first one stays: kube-state-metrics, which tells of nodes, must itself be on one.
    """
    rng = random.Random(seed)
    start_at = ZERO + rng.uniform(0, 1000)
    end_at = start_at + 30 * 120 ** rng.random()
    lives = [Past("gke-kiosk-default-0123-abcd", start_at // 1 - 5000, None, "e2-standard-4")]
    for number in range(rng.randint(0, 7)):
        lives += _lives_of(rng, f"gke-kiosk-pool-{number}-abcd-{number:04d}", start_at, end_at)
    restarts = []
    moment = start_at
    for _ in range(rng.randint(0, 2)):
        since = moment + rng.uniform(0, (end_at - moment) / 2)
        moment = since + rng.uniform(0, 60)
        restarts.append((since, moment, rng.random() < 0.5))
    phase_s = rng.uniform(0, interval_s)
    return History(
        tuple(lives), start_at, end_at, interval_s, phase_s, tuple(restarts), rng.random() < 0.8
    )


def _lives_of(rng: random.Random, name: str, start_at: float, end_at: float) -> list[Past]:
    machine_type = rng.choice(sorted(MACHINES))
    accelerator = rng.choice(["", *sorted(GPUS)]) if machine_type == "n1-highmem-2" else ""
    spot, old = rng.random() < 0.5, rng.random() < 0.5
    gpus = rng.choice([1, 1, 2]) if accelerator else int(machine_type.startswith("g2"))
    born_at = float(int(rng.uniform(start_at - 3000, end_at)))
    found = []
    for _ in range(rng.randint(1, 3)):
        died_at = born_at + rng.uniform(30, 4000) if rng.random() < 0.7 else None
        found.append(
            Past(name, born_at, died_at, machine_type, spot, accelerator, gpus, old_labels=old)
        )
        if died_at is None:
            break
        born_at = float(int(died_at + rng.choice([1, 2, 20, 90, 400])))
        if born_at <= died_at:
            born_at += 1
    return found
