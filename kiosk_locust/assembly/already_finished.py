"""A run that is asked for once more, and has no job left: its finish is made up, or its code told.

No session begins, and nothing is submitted. What is asked of others is what the process before did
not come to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from gevent.event import Event
from rich.console import Console

from kiosk_locust.assembly import closing_screen
from kiosk_locust.assembly.finalize import finalize
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.recall import recalled
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.assembly.made_up_services import cost_query_of, open_services
from kiosk_locust.assembly.resume import Finished, Unfinished
from kiosk_locust.clock import Clock, SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.formatting.console import say
from kiosk_locust.ledger import queries, send_account
from kiosk_locust.ledger.finish_steps import STEPS_WITH_LEDGER
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.sessions import gaps, interrupted
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.model.options import Options
from kiosk_locust.reporting import results_json
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement


def tell(finished: Finished, console: Console) -> Verdict:
    """Say that nothing is left to do, write missing results, and return how the run went."""
    run, path, record = finished.run, finished.path, finished.run.finish
    nothing = f"the run {run.run_name} is finished: nothing is left to do ({path})"
    if record is not None and record.exit_code is not None:
        say(console, f"{nothing}; this is the exit code that it had")
        verdict = Verdict(record.exit_code, record.why)
        say(console, verdict.line)
        return verdict
    say(console, nothing)
    for written in results_json.write_missing(path, path.parent):
        say(console, f"written: {written}")
    verdict = exit_code(
        finished.outcomes,
        finished=True,
        judgement=Judgement.of_run(run),
        results_missing=finished.results_missing,
        interrupted=interrupted(tuple(gaps(run.sessions))),
    )
    say(console, verdict.line)
    return verdict


def make_up(
    unfinished: Unfinished,
    options: Options,
    console: Console,
    secrets: Secrets,
    *,
    on_hurry: Callable[[Callable[[], None]], None] = lambda _hurry: None,
) -> Verdict:
    """Carry out the steps of a run's finalization that are missing, and return how the run went.

    ``on_hurry`` is given what is to be called once nothing more is to be waited for. Raises
    LedgerError where another process has the ledger, or it cannot be opened.
    """
    run, path = unfinished.resumption.run, unfinished.resumption.path
    say(console, _announcement(unfinished))
    clock = SystemClock()
    closed = _closed(unfinished, options)
    cost_query = cost_query_of(run, options, secrets, clock)

    def hurry() -> None:
        closed.given_up.set()
        cost_query.hurry()

    with ExitStack() as held:
        ledger = _open(unfinished, clock)
        held.callback(ledger.discard if isinstance(ledger, Ledger) else ledger.release)
        _forget_accounts(path)
        on_hurry(hurry)
        bucket = open_services(unfinished, options, ledger, clock, held)
        inputs = FinalizeInputs(
            closed,
            run.run_name,
            options.output_dir,
            clock,
            cost_query=cost_query,
            archive=bucket.archive,
            checkpoints=bucket.checkpoints,
            overtaken=bucket.overtaken,
        )
        state = recalled(Finalization.of(inputs, ledger, unfinished.record), run)
        state = finalize(state, release=lambda _: held.close())
    verdict = state.last_verdict
    closing_screen.show(console, state, verdict, simulated=run.embedded)
    if state.summary is None:
        say(console, verdict.line)
    return verdict


def _announcement(unfinished: Unfinished) -> str:
    run, path = unfinished.resumption.run, unfinished.resumption.path
    steps = ", ".join(unfinished.record.missing)
    if run.finished and run.judgement_text:
        return (
            f"the run {run.run_name} is finished: nothing is left to do ({path}), but for what its"
            f" end did not come to, or what is gone since: {steps}"
        )
    return (
        f"the run {run.run_name} has no job left ({path}); its process died before it was judged,"
        f" which is made up now: {steps}"
    )


def _closed(unfinished: Unfinished, options: Options) -> ClosedRun:
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


def _open(unfinished: Unfinished, clock: Clock) -> Ledger | ClosedLedger:
    """The ledger, locked: to write to it, or where only later steps are missing as it stands."""
    path = unfinished.resumption.path
    if set(unfinished.record.missing) & set(STEPS_WITH_LEDGER):
        ledger = Ledger.open(path, now=clock.now)
        with opened(path) as db:
            last_at = queries.last_closed_at(db)
            cycles = facts(db).cycles
        if last_at is not None:  # a process that died may not have come to say so
            ledger.end_cycle(cycles, last_at)
        return ledger
    return ClosedLedger(path, Lock(path))


def _forget_accounts(path: Path) -> None:
    """Delete the accounts of what dead processes sent: every ticket is closed."""
    send_account.sweep(path)
    send_account.forget(send_account.path_of(path))
