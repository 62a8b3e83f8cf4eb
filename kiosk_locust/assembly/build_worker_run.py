"""Builds a worker's part of a run from its master's welcome."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from kiosk_locust.assembly.worker_client import worker_client
from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.assembly.worker_plan import worker_plan
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock, ShiftedClock
from kiosk_locust.distributed.clock_skew import Skew
from kiosk_locust.distributed.messages import Welcome
from kiosk_locust.distributed.reliable_delivery import Sender
from kiosk_locust.distributed.worker_protocol import Reporters, WorkerProtocol
from kiosk_locust.distributed.worker_run import RemoteShare
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.gc_tuning import calm
from kiosk_locust.ledger import send_account
from kiosk_locust.storage.transfers.movers import movers


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """The process that takes part, as its plugin knows it.

    ``clock`` is its own, by which leases are kept. ``on_request`` hears of each request to the
    Kiosk, ``on_fault`` that the run cannot go on here.
    """

    limits: WorkerLimits
    clock: Clock
    user_classes: frozenset[str]
    on_request: Callable[[RequestSample], None]
    on_fault: Callable[[], None]


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """A worker's part of a run; ``resources`` are to be closed once it is over."""

    share: RemoteShare
    bus: JobBus
    resources: ExitStack


def build_worker_run(welcome: Welcome, skew: Skew, process: WorkerProcess) -> WorkerRun:
    """Make everything that this worker works with.

    Raises KioskLocustError, with nothing left open, where this worker cannot take part.
    """
    with ExitStack() as resources:
        plan = worker_plan(welcome.facts, process.limits, process.user_classes)
        options, clock = plan.options, ShiftedClock(process.clock, skew.seconds)
        client = worker_client(plan, clock, welcome.zero_at, process.on_request, resources)
        sender = Sender(welcome.terms)
        account = send_account.keep_at_worker(
            plan.place_of_account, lambda: sender.acknowledged, pool_size=options.pool_size
        )
        if account is not None:
            resources.callback(account.close)
        moving = movers(
            options, client.kiosk, clock, random.Random(), plan.run_name, calls=client.calls
        )
        resources.callback(moving.close)
        reporters = Reporters(
            client.watch.figures,
            client.calls.look,
            client.watch.on_reply,
            account.token if account else "",
        )
        bus = JobBus()
        share = RemoteShare(
            WorkerProtocol(welcome, skew, reporters, sender),
            options=options,
            bus=bus,
            kiosk=client.kiosk,
            clock=clock,
            own_clock=process.clock.now,
            on_fault=process.on_fault,
            mix=plan.mix,
            uploader=process.limits.guarded(moving.uploader, options.transfers),
            downloads=moving.downloads,
            account=account,
        )
        resources.callback(calm())
        return WorkerRun(share, bus, resources.pop_all())
