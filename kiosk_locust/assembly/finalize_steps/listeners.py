"""The last step: listeners of ``run_closed`` are told."""

from __future__ import annotations

import logging
from types import MappingProxyType

from gevent import GreenletExit

from kiosk_locust import events
from kiosk_locust.assembly.finalize_steps.state import Finalization, StepResult
from kiosk_locust.assembly.run_closed import RunClosed
from kiosk_locust.model.options import options_as_json

logger = logging.getLogger(__name__)


def tell_listeners(state: Finalization) -> StepResult:
    """Fire ``run_closed``; who resumes a run fires it where the process before came not so far."""
    run, verdict = state.inputs.run, state.last_verdict
    closed = RunClosed(
        state.inputs.name,
        state.path,
        MappingProxyType(options_as_json(run.options)),
        MappingProxyType(dict(run.outcomes)),
        tuple(state.files),
        state.judgement,
        verdict.code,
        verdict.why,
    )
    try:
        events.run_closed.fire(run=closed)
    except GreenletExit:  # only a listener raises it: nobody kills the end of a run
        logger.error("a listener of run_closed raised GreenletExit")  # noqa: TRY400
    except Exception as error:  # noqa: BLE001  the files are written, the end goes on
        return StepResult(state, problem=f"a listener of run_closed raised {error!r}")
    return StepResult(state)
