"""A run that is asked for once more, and has nothing left to do."""

from __future__ import annotations

from rich.console import Console

from kiosk_locust import results
from kiosk_locust.console import say
from kiosk_locust.resuming import Finished
from kiosk_locust.sessions import gaps, interrupted
from kiosk_locust.verdict import exit_code


def tell(found: Finished, console: Console) -> int:
    """Say that nothing is left to do, write missing results, and return the exit code."""
    say(console, f"the run {found.run.run_name} is finished: nothing is left to do ({found.path})")
    for path in results.write_missing(found.path, found.path.parent):
        say(console, f"written: {path}")
    verdict = exit_code(
        found.outcomes,
        finished=True,
        judgement=found.run.judgement,
        results_missing=found.results_missing,
        interrupted=interrupted(tuple(gaps(found.run.sessions))),
    )
    say(console, verdict.line)
    return verdict.code
