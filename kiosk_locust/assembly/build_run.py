"""Builds a run: its Kiosk and its bucket are reached, its ledger is made, its observers attached.

In this order, for what comes first changes nothing: the Kiosk and the bucket are asked whether
they can serve before a ledger is made, and the ledger is in the bucket, where that is wanted,
before the first job.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack

from rich.console import Console

from kiosk_locust.assembly import earlier_run
from kiosk_locust.assembly.build_observers import build_observers
from kiosk_locust.assembly.build_work import build_work
from kiosk_locust.assembly.cluster_services import ask_cluster
from kiosk_locust.assembly.conclusion import Conclusion
from kiosk_locust.assembly.reach import reach
from kiosk_locust.assembly.run_context import RunContext
from kiosk_locust.assembly.run_files import first_checkpoint
from kiosk_locust.assembly.run_host import RunHost
from kiosk_locust.assembly.run_ledger import RunLedger
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.assembly.stop_reason import StopRequests
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import SystemClock
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.monitoring.process import Watch

logger = logging.getLogger(__name__)


def build_run(request: RunRequest, host: RunHost, console: Console) -> RunContext:
    """Build the run that is wanted in ``host``, which shows its progress on ``console``.

    Raises KioskLocustError, with nothing left open, where it cannot be built.
    """
    resources = ExitStack()
    try:
        return _build(request, host, console, resources)
    except BaseException:
        resources.close()
        raise


def _build(
    request: RunRequest, host: RunHost, console: Console, resources: ExitStack
) -> RunContext:
    clock, state, bus = SystemClock(), RunState(), JobBus()
    own = Watch(clock)

    def on_request(sample: RequestSample) -> None:
        own.on_request(sample)
        host.on_request(sample)

    run_ledger = RunLedger(request, clock, host.version, state.fail)
    kiosk, bucket = reach(request, run_ledger.name, clock, on_request, resources)
    options = bucket.options
    cluster = ask_cluster(request, options, kiosk, clock, resources)
    run, remains = build_work(
        request,
        options,
        state,
        host,
        kiosk=kiosk,
        run_ledger=run_ledger,
        bus=bus,
        clock=clock,
        resources=resources,
    )
    name = run_ledger.name
    if blurred := earlier_run.advice(options, run_ledger.path):
        logger.info("%s", blurred)
    checkpoints = first_checkpoint(
        bucket, run, name, clock, request.resumed, insist=request.may_be_resumed
    )
    if checkpoints:
        resources.callback(checkpoints.stop)
    stops, conclusion = StopRequests(state, options), Conclusion()
    observers = build_observers(
        run,
        name,
        host,
        kiosk,
        clock,
        remains=remains,
        checkpoints=checkpoints,
        stops=stops,
        conclusion=conclusion,
        own=own,
        console=console,
    )
    for observer in observers.all:
        observer.attach(bus)
    return RunContext(
        options=options,
        name=name,
        started_at=run_ledger.started_at,
        is_resumed=request.resumed is not None,
        lead_s=host.lead_s(options.users),
        clock=clock,
        kiosk=kiosk,
        run=run,
        stops=stops,
        observers=observers,
        conclusion=conclusion,
        cluster=cluster,
        archive=bucket.archive,
        checkpoints=checkpoints,
        resources=resources,
    )
