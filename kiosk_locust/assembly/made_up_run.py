"""A run whose process died before it was judged, as that process had it: state and ledger."""

from __future__ import annotations

from contextlib import ExitStack

from gevent.event import Event

from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun
from kiosk_locust.assembly.resume import Unfinished
from kiosk_locust.clock import Clock
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.ledger import queries, send_account
from kiosk_locust.ledger.finish_steps import STEPS_WITH_LEDGER
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.model.options import Options


def closed_run(unfinished: Unfinished, options: Options) -> ClosedRun:
    """The run as its process had it when it died."""
    run, record = unfinished.resumption.run, unfinished.record
    ended_at = run.ended_at
    if ended_at is None and run.sessions:  # its last sign of life
        ended_at = run.sessions[-1].ended_at
    return ClosedRun(
        options,
        unfinished.outcomes,
        run.ended_by or ALL_CLOSED,
        is_over=not record.aborted,
        given_up=Event(),
        trouble=record.trouble,
        aborted=record.aborted,
        is_distributed=bool(run.workers),
        ended_at=run.started_at if ended_at is None else ended_at,
    )


def open_ledger(unfinished: Unfinished, clock: Clock, held: ExitStack) -> Ledger | ClosedLedger:
    """The ledger, locked: to write to it, or where only later steps are missing as it stands.

    ``held`` lets go of it. The accounts of what dead processes sent are deleted, as every ticket is
    closed. Raises LedgerError where another process has it, or it cannot be opened.
    """
    path = unfinished.resumption.path
    ledger: Ledger | ClosedLedger
    if set(unfinished.record.missing) & set(STEPS_WITH_LEDGER):
        ledger = Ledger.open(path, now=clock.now)
        held.callback(ledger.discard)
        with opened(path) as db:
            last_at = queries.last_closed_at(db)
            cycles = facts(db).cycles
        if last_at is not None:  # a process that died may not have come to say so
            ledger.end_cycle(cycles, last_at)
    else:
        ledger = ClosedLedger(path, Lock(path))
        held.callback(ledger.release)
    send_account.sweep(path)
    send_account.forget(send_account.path_of(path))
    return ledger
