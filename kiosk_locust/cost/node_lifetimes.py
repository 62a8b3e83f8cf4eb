"""Node lifetimes, computed from the samples of ``kube_node_created``.

- A node's name and its creation time are one life. A node that comes back under its name after
  a preemption has a later creation time, and is another life.
- The birth is the creation time itself, exact to a second, wherever the samples begin.
- The death lies between the last scrape that saw the node and the next scrape, which did not:
  the middle of both is taken, so it is wrong by half a scrape interval at most. A new life under
  the same name bounds it, too.
- A node that the newest scrape saw is alive; but if the samples of all nodes end more than 5
  minutes before the data does, what became of the nodes is not known, and not counted.
- Nodes are merged by their names: kube-state-metrics gives the same node other labels after a
  restart. A gap between two sightings of one life is life, for whatever reason there is none.
- A sample stays visible for 5 minutes after its scrape, unless its series was marked stale. With
  ``scraped_at`` each sample counts for when it was really scraped; without, a node that
  vanished together with its target seems to live up to 5 minutes longer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from kiosk_locust.cost.series import ClusterSeries, Series

LOOKBACK_S = 300.0  # Prometheus's --query.lookback-delta, by default
_SAME_SCRAPE = 0.9  # of an interval: the newest scrapes of two targets are no further apart


@dataclass(frozen=True, slots=True)
class Life:
    """One node under one creation time; epoch seconds."""

    node: str
    created_at: float
    ended_at: float | None  # estimated; None: the newest scrape saw it
    watched_to: float = math.inf  # when that is more than 5 minutes ago; later state is unknown

    def seconds_in(self, start_at: float, end_at: float) -> float:
        """Seconds of this life between two moments."""
        ended_at = self.watched_to if self.ended_at is None else self.ended_at
        return max(0.0, min(end_at, ended_at) - max(start_at, self.created_at))


@dataclass(frozen=True, slots=True)
class Census:
    """All lives in order of creation, with the scrape times that they rest on."""

    lives: tuple[Life, ...]
    scrapes: tuple[float, ...]  # when any node was scraped, ascending
    interval_s: float  # between two scrapes, or two samples where these are further apart

    def unwatched_s(self, start_at: float, end_at: float) -> float:
        """Seconds of a window in gaps of over 5 minutes, in which nodes may be missed."""
        inside = [moment for moment in self.scrapes if start_at < moment < end_at]
        edges = [start_at, *inside, end_at]
        return math.fsum(b - a for a, b in pairwise(edges) if b - a > LOOKBACK_S)


def census(series: ClusterSeries) -> Census:
    """Lives of all nodes in the samples."""
    last_scrapes: dict[tuple[str, float], float] = {}  # last scrape of each life
    scrapes: set[float] = set()
    gaps: list[float] = []
    scraped = {
        _identity(series_of_node.labels): dict(series_of_node.samples)
        for series_of_node in series.scraped_at
    }
    for series_of_node in series.kube_node_created:
        node = node_name(series_of_node.labels)
        moments = []
        for scraped_at, created_at in _sightings(series_of_node, scraped):
            moments.append(scraped_at)
            key = (node, created_at)
            last_scrapes[key] = max(last_scrapes.get(key, scraped_at), scraped_at)
        scrapes.update(moments)
        gaps += [b - a for a, b in pairwise(sorted(set(moments)))]
    interval_s = median(gaps) if gaps else series.step_s
    ordered = tuple(sorted(scrapes))
    lives = _lives(last_scrapes, ordered, interval_s)
    if ordered and series.end_at - ordered[-1] > LOOKBACK_S:
        lives = tuple(replace(life, watched_to=ordered[-1] + interval_s / 2) for life in lives)
    return Census(lives, ordered, interval_s)


def node_name(labels: Mapping[str, str]) -> str:
    """Name of the series' node; Prometheus renames the label if its own target has one."""
    return labels.get("exported_node") or labels.get("node", "")


def _identity(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in labels.items() if name != "__name__")


def _sightings(
    series: Series, scraped: Mapping[frozenset[tuple[str, str]], Mapping[float, float]]
) -> Iterator[tuple[float, float]]:
    """Scrape time and creation time of each valid sample."""
    scrape_times = scraped.get(_identity(series.labels), {})
    for at, created_at in series.samples:
        scraped_at = scrape_times.get(at, at)
        if math.isfinite(created_at) and created_at > 0:
            yield scraped_at, created_at


def _lives(
    last_scrapes: Mapping[tuple[str, float], float], scrapes: tuple[float, ...], interval_s: float
) -> tuple[Life, ...]:
    by_node: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (node, created_at), last_at in last_scrapes.items():
        by_node[node].append((created_at, last_at))
    lives = []
    for node, sightings in by_node.items():
        sightings.sort()
        births = [created_at for created_at, _ in sightings[1:]]
        for (created_at, last_at), next_birth in zip(sightings, [*births, None], strict=True):
            ended_at = _death(last_at, next_birth, scrapes, interval_s)
            lives.append(Life(node, created_at, ended_at))
    return tuple(sorted(lives, key=lambda life: (life.created_at, life.node)))


def _death(
    last_at: float, next_birth: float | None, scrapes: tuple[float, ...], interval_s: float
) -> float | None:
    """Midpoint between the last sighting of a node and the first moment it was surely gone.

    None if the newest scrape still saw it.
    """
    if next_birth is None and scrapes[-1] - last_at < _SAME_SCRAPE * interval_s:
        return None
    after = bisect_right(scrapes, last_at)
    # Another target may be scraped right after; its scrape does not have to show this node.
    gone_at = max(scrapes[after] if after < len(scrapes) else last_at, last_at + interval_s)
    if next_birth is not None:
        gone_at = min(gone_at, next_birth)
    # A sample beyond the next birth is an effect of the lookback.
    return min(gone_at, (last_at + gone_at) / 2)
