"""The cluster's nodes, and the autoscaler of GPU nodes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from kiosk_locust.simulator.rng import Purpose, duration, stream
from kiosk_locust.simulator.settings import ClusterSettings

#: Age of the CPU nodes at the start: a cluster exists before its first job.
CPU_NODES_AGE_S = 3600.0


@dataclass(slots=True, eq=False)
class SimulatedNode:
    """One node; times in epoch seconds. Removed nodes stay in the history."""

    name: str
    machine_type: str
    accelerator: str
    created_at: float
    ready_at: float
    free: list[int] = field(default_factory=list)  # indices of idle consumers
    deaths: Counter[int] = field(default_factory=Counter)  # of consumers, by index
    running: int = 0
    idle_since: float = 0.0
    deleted_at: float | None = None


class Fleet:
    """GPU nodes of a cluster: ``alive`` now, and the ``history`` of all.

    ``cpu_nodes`` are permanent nodes for all other work.
    """

    def __init__(self, settings: ClusterSettings, now: float) -> None:
        self._settings = settings
        self.alive: list[SimulatedNode] = []
        self.history: list[SimulatedNode] = []
        self.cpu_nodes = [
            SimulatedNode(
                f"simulated-cpu-{number:04d}", settings.cpu_machine_type, "", born_at, born_at
            )
            for number in range(settings.cpu_nodes)
            for born_at in (now - CPU_NODES_AGE_S,)
        ]
        for _ in range(settings.min_nodes):
            self._add(now - settings.node_startup_s, now)

    def desired(self, backlog: int) -> int:
        """Number of nodes that the autoscaler wants for a backlog of images."""
        needed_nodes = math.ceil(backlog / self._settings.jobs_per_node)
        return min(max(needed_nodes, self._settings.min_nodes), self._settings.max_nodes)

    def scale(self, backlog: int, now: float) -> list[SimulatedNode]:
        """Start missing nodes and remove idle ones; returns the new ones."""
        desired = self.desired(backlog)
        self._remove_idle(desired, now)
        return [self._start(now) for _ in range(desired - len(self.alive))]

    def free_node(self, now: float) -> SimulatedNode | None:
        """The ready node with the most free consumers, if any."""
        best, room = None, 0
        for node in self.alive:
            if len(node.free) > room and node.ready_at <= now:
                best, room = node, len(node.free)
        return best

    @property
    def is_settled(self) -> bool:
        """True if no node is left to remove."""
        return len(self.alive) <= self._settings.min_nodes

    def _remove_idle(self, desired: int, now: float) -> None:
        for node in self.alive[::-1]:  # newest first: nodes of the start stay
            if len(self.alive) <= desired:
                return
            idle_s = now - max(node.idle_since, node.ready_at)
            if not node.running and idle_s >= self._settings.scale_down_delay_s:
                node.deleted_at = now
                self.alive.remove(node)

    def _start(self, now: float) -> SimulatedNode:
        rng = stream(self._settings.seed, Purpose.NODE, len(self.history))
        startup_s = duration(rng, self._settings.node_startup_s, self._settings.spread)
        return self._add(now, now + startup_s)

    def _add(self, created_at: float, ready_at: float) -> SimulatedNode:
        node = SimulatedNode(
            name=f"simulated-gpu-{len(self.history):04d}",
            machine_type=self._settings.machine_type,
            accelerator=self._settings.accelerator,
            created_at=created_at,
            ready_at=ready_at,
            free=list(range(self._settings.jobs_per_gpu)),
            idle_since=ready_at,
        )
        self.alive.append(node)
        self.history.append(node)
        return node
