"""Builds the work of a run: its ledger, and what hands out its tickets and carries out its jobs."""

from __future__ import annotations

import json
import random
from contextlib import ExitStack

from kiosk_locust.assembly.connect import Connection
from kiosk_locust.assembly.run_host import RunHost
from kiosk_locust.assembly.run_ledger import RunLedger
from kiosk_locust.assembly.run_request import RunRequest
from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun, master_run
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.run import Run, local_run
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.formatting import quoting
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.resume_state import Remains
from kiosk_locust.model.options import Options
from kiosk_locust.storage.transfers.input_facts import facts, not_needed_of
from kiosk_locust.storage.transfers.movers import movers


def build_work(
    request: RunRequest,
    options: Options,
    state: RunState,
    host: RunHost,
    *,
    kiosk: Connection,
    run_ledger: RunLedger,
    bus: JobBus,
    clock: Clock,
    resources: ExitStack,
) -> tuple[Run | MasterRun, Remains]:
    """Make or open the ledger, and the run on it, with what is left to do of it.

    Raises LedgerError and BucketError. ``resources`` lets all go again.
    """
    ledger, remains = run_ledger.open(
        kiosk.url, is_simulated_elsewhere=kiosk.is_simulated_elsewhere
    )
    resources.callback(ledger.discard)
    if not kiosk.embedded:  # such a run cannot be resumed
        ledger.keep_account(options.pool_size)
        ledger.keep_reserve()
    not_needed = not_needed_of(options, remains) if request.resumed else set()
    if host.is_master:
        run_facts = run_ledger.meta(kiosk.url) | facts(options.transfers, not_needed)
        run_facts[send_account.PLACE] = send_account.place_of(run_ledger.path)
        run_facts[quoting.FACT] = json.dumps(quoting.is_on())
        at_workers = master_run(
            options,
            state,
            ledger=ledger,
            bus=bus,
            clock=clock,
            send=host.send,
            facts=run_facts,
            workers=host.worker_count if options.transfers.inputs else 0,
            remains=remains,
        )
        host.serve(at_workers, clock)
        resources.callback(state.stopping.set)  # nobody looks for workers of a run that ended
        return at_workers, remains
    rng = random.Random(f"{options.arrival_seed}/downloads")
    moving = movers(options, kiosk.kiosk, clock, rng, run_ledger.name, calls=kiosk.calls)
    resources.callback(moving.close)
    run = local_run(
        options,
        state,
        ledger=ledger,
        bus=bus,
        kiosk=kiosk.kiosk,
        clock=clock,
        rng=random.Random(f"{options.arrival_seed}/polls"),
        mix=request.mix,
        remains=remains,
        uploader=moving.uploader,
        downloads=moving.downloads,
    )
    return run, remains
