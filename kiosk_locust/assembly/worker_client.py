"""A worker's client of the Kiosk, and what watches it: its process, and which of its calls fail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kiosk_locust.assembly.worker_plan import WorkerPlan
from kiosk_locust.client import proxies
from kiosk_locust.client.call_failures import EARLY_S, CallFailures
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import Clock
from kiosk_locust.monitoring.process import Watch


@dataclass(frozen=True, slots=True)
class WorkerClient:
    """The client, and its observers."""

    kiosk: Kiosk
    calls: CallFailures
    watch: Watch


def worker_client(
    plan: WorkerPlan,
    clock: Clock,
    zero_at: float,
    on_request: Callable[[RequestSample], None],
    resources: ExitStack,
) -> WorkerClient:
    """Make them; what happens before ``zero_at`` (epoch seconds by ``clock``) does not count.

    ``on_request`` hears of each request, too. What is to be closed goes to ``resources``.
    """
    watch = Watch(clock)
    watch.start(zero_at)
    resources.callback(watch.stop)

    def tell(sample: RequestSample) -> None:
        watch.on_request(sample)
        on_request(sample)

    proxies.warn_of_unused(plan.host)
    transport = Transport(
        plan.host,
        pool_size=plan.options.pool_size,
        request_timeout_s=plan.options.request_timeout_s,
        clock=clock,
        on_request=tell,
    )
    resources.callback(transport.close)
    # A worker's own terminal is not looked at: the master is told early.
    calls = CallFailures(clock, told_after_s=EARLY_S)
    return WorkerClient(Kiosk(transport, calls), calls, watch)
