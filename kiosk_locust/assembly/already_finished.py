"""A run that is asked for once more, and has no job left: its finish is made up, or its code told.

No session begins, and nothing is submitted. What is asked of others is what the process before did
not come to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console

from kiosk_locust.assembly import closing_screen
from kiosk_locust.assembly.finalize import finalize
from kiosk_locust.assembly.finalize_steps.inputs import FinalizeInputs
from kiosk_locust.assembly.finalize_steps.recall import recalled
from kiosk_locust.assembly.made_up_run import closed_run, open_ledger
from kiosk_locust.assembly.made_up_services import cost_query_of, open_services
from kiosk_locust.assembly.resume import Finished, Unfinished
from kiosk_locust.clock import SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.formatting.console import say
from kiosk_locust.ledger.sessions import gaps, interrupted
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
    run = unfinished.resumption.run
    say(console, _announcement(unfinished))
    clock = SystemClock()
    closed = closed_run(unfinished, options)
    cost_query = cost_query_of(run, options, secrets, clock)

    def hurry() -> None:
        closed.given_up.set()
        cost_query.hurry()

    with ExitStack() as held:
        ledger = open_ledger(unfinished, clock, held)
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
        state = recalled(inputs, ledger, unfinished.record, run)
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
