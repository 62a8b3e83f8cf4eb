"""The finalization of a run, once every ticket is closed: step after step, each complete for good.

Whatever goes wrong in one step, the others are done. Once one is complete, the ledger says so
(`ledger.finish_steps`): should the process die, whoever resumes the run carries out the steps that
are missing, and no others.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from kiosk_locust.assembly.finalize_steps.bucket import (
    keep_checkpoint,
    keep_last_checkpoint,
    upload,
)
from kiosk_locust.assembly.finalize_steps.files import (
    decide,
    remove_parts,
    write_junit,
    write_report,
    write_results,
)
from kiosk_locust.assembly.finalize_steps.ledger import (
    ask_cost,
    close_ledger,
    judge,
    look_at_queues,
    record_end,
    tell,
)
from kiosk_locust.assembly.finalize_steps.listeners import tell_listeners
from kiosk_locust.assembly.finalize_steps.recall import recall_page
from kiosk_locust.assembly.finalize_steps.state import Finalization, Step, StepResult
from kiosk_locust.errors import KioskLocustError, LedgerError

logger = logging.getLogger(__name__)

#: The steps in their order: while the ledger is written to, while it is closed and locked, and
#: with an uploaded copy of it that knows nothing of the rest.
STEPS: tuple[Step, ...] = (
    *(record_end, keep_checkpoint, look_at_queues, ask_cost, judge, tell, close_ledger),
    *(keep_last_checkpoint, remove_parts, write_results, write_report, write_junit, decide),
    upload,
)
#: The same, once the run has let go of everything.
LAST_STEPS: tuple[Step, ...] = (tell_listeners,)


def finalize(
    state: Finalization,
    *,
    release: Callable[[Finalization], None],
    on_step: Callable[[Finalization], None] = lambda _state: None,
) -> Finalization:
    """Carry out the steps that the record of ``state`` lacks, and return their results.

    ``release`` lets go of all that the run holds, its ledger too. ``on_step`` is given the state
    after each step. Raises nothing of what goes wrong in a step: it is a problem of the run.
    """
    with contextlib.closing(state.analysis):
        state = attempt(recall_page, state).state
        state = carry_out(STEPS, state, on_step)
    state = isolated(lambda: release(state), state)
    state = state.with_interruption()
    return carry_out(LAST_STEPS, state, on_step)


def carry_out(
    steps: Iterable[Step],
    state: Finalization,
    on_step: Callable[[Finalization], None] = lambda _state: None,
) -> Finalization:
    """Do each of ``steps`` that is not complete; the state after the last."""
    for step in steps:
        name = step.__name__
        if name not in state.record.steps:
            result = attempt(step, state)
            state = recorded(name, result.state) if result.is_complete else result.state
            on_step(state)
    return state


def attempt(step: Step, state: Finalization) -> StepResult:
    """Do one step; what it raises is a problem of the run, and leaves ``state`` as it was."""
    try:
        result = step(state)
    except (KioskLocustError, OSError) as error:
        result = StepResult(state, problem=str(error))
    except Exception as error:
        logger.exception("a fault at the end of the run")
        result = StepResult(state, problem=f"a fault of kiosk_locust: {error!r}")
    if result.problem:
        return StepResult(result.state.failed(result.problem), is_complete=False)
    return result


def isolated(work: Callable[[], object], state: Finalization) -> Finalization:
    """The state after ``work`` that is no step; what it raises is a problem of the run."""

    def step(state: Finalization) -> StepResult:
        work()
        return StepResult(state)

    return attempt(step, state).state


def recorded(name: str, state: Finalization) -> Finalization:
    """Have the ledger say that a step is complete, with what the next ones need of it.

    Where the disk takes no more, it stays incomplete there, and a resume makes it up.
    """
    record = state.record.with_step(name)
    with contextlib.suppress(LedgerError):  # to close the ledger tells
        state.ledger.set_meta(**record.as_meta([name]))
        state.ledger.settle()
    return replace(state, record=record)
