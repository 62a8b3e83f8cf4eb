"""Locust's process as the host of a run."""

from __future__ import annotations

from typing import Any

import locust
from locust.env import Environment

from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.plugin.dispatcher import lead_s
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.request_event import tell_of_request
from kiosk_locust.plugin.request_stats import LocustStatistics
from kiosk_locust.plugin.stat_batches import Tallies

#: Workers get their users, say hello and get tickets before the first job is due.
JOIN_LEAD_S = 1.0


class LocustHost:
    """Hosts one run in an environment of Locust's; see `kiosk_locust.assembly.run_host.RunHost`."""

    version = locust.__version__

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._tallies = Tallies(environment.stats)
        self.otel_options: Any = environment.parsed_options
        self.statistics = LocustStatistics(environment.stats, self._tallies)

    @property
    def _master(self) -> PatientMaster | None:
        runner = self._environment.runner
        return runner if isinstance(runner, PatientMaster) else None

    @property
    def is_master(self) -> bool:
        """True if users and jobs live at workers."""
        return self._master is not None

    @property
    def worker_count(self) -> int:
        """Number of workers that are connected."""
        return self._master.worker_count if self._master else 0

    def lead_s(self, users: int) -> float:
        """Seconds in which so many ``users`` can be there, ready for the first job."""
        return lead_s(users) + (JOIN_LEAD_S if self.is_master else 0.0)

    def on_request(self, sample: RequestSample) -> None:
        """Have a request appear in Locust's statistics, and reach its users' listeners."""
        tell_of_request(self._environment, sample, self._tallies)

    def send(self, kind: str, data: Any, worker: str) -> None:
        """Send a message to a worker."""
        if self._master:
            self._master.send_message(kind, data, worker)

    def serve(self, run: MasterRun, clock: Clock) -> None:
        """Have workers' messages reach ``run``, and keep it supplied with workers."""
        if self._master:
            self._master.serve(run, clock)
