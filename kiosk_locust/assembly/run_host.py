"""Interface to the process that a run lives in: `RunHost`."""

from __future__ import annotations

from typing import Any, Protocol

from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.model.ports import RunObserver


class RunHost(Protocol):
    """The process that a run lives in; one for each run. Locust's is `plugin.run_host.LocustHost`.

    ``version`` is that of the load generator, and ``otel_options`` say if spans are wanted; see
    `monitoring.otel`.
    """

    version: str
    otel_options: Any

    @property
    def statistics(self) -> RunObserver:
        """Observes the jobs of this process, for its own page."""

    @property
    def is_master(self) -> bool:
        """True if users and jobs live at workers."""

    @property
    def worker_count(self) -> int:
        """Number of workers that are connected."""

    def lead_s(self, users: int) -> float:
        """Seconds in which so many ``users`` can be there, ready for the first job."""

    def on_request(self, sample: RequestSample) -> None:
        """Take in a request that was made to the Kiosk."""

    def send(self, kind: str, data: Any, worker: str) -> None:
        """Send a message to a worker."""

    def serve(self, run: MasterRun, clock: Clock) -> None:
        """Have workers' messages reach ``run``, and keep it supplied with workers."""
