"""The value that listeners of ``run_closed`` get, and the step that tells them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gevent import GreenletExit

from kiosk_locust import events
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.model.options import options_as_json
from kiosk_locust.model.record import Outcome
from kiosk_locust.verdict.judgement import Judgement

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunClosed:
    """A run whose tickets are all closed, and whose files are written."""

    name: str
    path: Path  # of its ledger
    options: Mapping[str, Any]  # as `configuration` of the results has them
    outcomes: Mapping[Outcome, int]  # tickets by outcome, without those that were never begun
    files: tuple[Path, ...]  # the ledger, the results, the report, and JUnit XML if wanted
    judgement: Judgement | None  # `verdict`, `reasons` and `thresholds`; None: it failed
    exit_code: int  # of the run: 0, 1 or 2
    why: str  # the exit code is what it is

    @classmethod
    def of(cls, state: Finalization) -> RunClosed:
        """The run whose finalization has come to its last step."""
        run, verdict = state.inputs.run, state.last_verdict
        return cls(
            name=state.inputs.name,
            path=state.path,
            options=MappingProxyType(options_as_json(run.options)),
            outcomes=MappingProxyType(dict(run.outcomes)),
            files=tuple(state.files),
            judgement=state.judgement,
            exit_code=verdict.code,
            why=verdict.why,
        )


def tell_listeners(state: Finalization) -> StepResult:
    """Fire ``run_closed``; who resumes a run fires it where the process before came not so far."""
    run = RunClosed.of(state)
    try:
        events.run_closed.fire(run=run)
    except GreenletExit:  # only a listener raises it: nobody kills the end of a run
        logger.error("a listener of run_closed raised GreenletExit")  # noqa: TRY400
    except Exception as error:  # noqa: BLE001  the files are written, the end goes on
        return StepResult(state, problem=f"a listener of run_closed raised {error!r}")
    return StepResult(state)
