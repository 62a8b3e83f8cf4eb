"""Carries out a run that is built: starts it, waits for its end, and finalizes it."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from kiosk_locust.assembly import closing_screen
from kiosk_locust.assembly.finalize import finalize, isolated
from kiosk_locust.assembly.finalize_steps.inputs import ClosedRun, FinalizeInputs
from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.assembly.run_context import RunContext
from kiosk_locust.assembly.stop_reason import StopReason
from kiosk_locust.execution.gc_tuning import calm
from kiosk_locust.formatting.console import say
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.terminal import summary_table
from kiosk_locust.verdict.exit_code import Verdict

logger = logging.getLogger(__name__)


class RunController:
    """Carries out one run; ``context`` has it, and all that serves it.

    A greenlet that nobody kills calls `wait`, `drain` and `finalize`, in this order; everybody
    else who wants the run to end calls `stop`.
    """

    def __init__(self, context: RunContext, console: Console) -> None:
        self.context = context
        self._console = console
        self._state = context.run.state
        self._observing = ExitStack()  # observers that have started

    def start(self) -> None:
        """Set time zero, a stated lead from now, and begin."""
        context, ledger = self.context, self.context.run.ledger
        context.resources.callback(calm())
        zero_at = context.clock.now() + context.lead_s
        if not context.is_resumed:
            ledger.set_meta(time_zero=repr(zero_at))
        ledger.set_session(time_zero=zero_at)
        logger.info(
            "run %s: the first job is due in %.2g s; ledger: %s",
            *(context.name, context.lead_s, ledger.path),
        )
        for observer in context.observers.all:
            self._observing.callback(observer.stop)
            observer.start(zero_at)
        context.run.start(zero_at)
        if context.checkpoints:
            context.checkpoints.start()

    @property
    def options(self) -> Options:
        """The run's."""
        return self.context.options

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run was begun to be built."""
        return self.context.clock.now() - self.context.started_at

    # -- the end

    def stop(self, reason: StopReason) -> None:
        """Have the run ended for ``reason``, unless it ends already."""
        self.context.stops.add(reason)

    @property
    def is_ending(self) -> bool:
        """True once there is a reason for the run's end."""
        return bool(self._state.over.is_set())

    @property
    def is_closed(self) -> bool:
        """True once every ticket is closed."""
        return bool(self._state.all_closed.is_set())

    def wait_closed(self) -> None:
        """Return once every ticket is closed."""
        self._state.all_closed.wait()

    def wait(self) -> StopReason:
        """Return the reason of the run's end, once there is one."""
        return self.context.stops.wait()

    def drain(self, reason: StopReason) -> None:
        """Let jobs in flight end within the reason's grace, and close the rest."""
        self.context.run.drain(reason.name, reason.grace_s)

    def finalize(self) -> Verdict:
        """Write everything and tell how it went; to be called once every ticket is closed.

        Whatever goes wrong in one part of it, the other parts are done, and the verdict says so.
        """
        context, observers = self.context, self.context.observers
        if unfinished := self._state.never_leased:
            observers.metrics.on_never_leased(Outcome.UNFINISHED, unfinished)
        inputs = FinalizeInputs(
            ClosedRun.of(context.run, str(context.stops.missed or "")),
            context.name,
            context.options.output_dir,
            context.clock,
            cost_query=context.cluster.cost_query,
            archive=context.archive,
            checkpoints=context.checkpoints,
            queue_depth=context.cluster.queue_depth,
            process_figures=observers.generator.figures,
        )
        state = Finalization.of(inputs, context.run.ledger)
        state = isolated(self._observing.close, state)
        state = finalize(state, release=self._release, on_step=context.conclusion.note)
        context.conclusion.end(state)
        return self.verdict

    def give_up(self) -> None:
        """Wait no longer, neither for jobs in flight nor for what the run cost."""
        self._state.give_up()
        self.context.cluster.cost_query.hurry()

    @property
    def verdict(self) -> Verdict:
        """The run's; not finished before its end."""
        return self.context.conclusion.verdict

    @property
    def files(self) -> list[Path]:
        """The run's files that are written by now, the ledger first."""
        state = self.context.conclusion.state
        return state.files if state else [self.context.run.ledger.path]

    def show(self, verdict: Verdict | None = None) -> None:
        """Print the closing summary; its last line is the exit code and why.

        ``verdict`` is the process's, where that is another than the run's.
        """
        kiosk, state = self.context.kiosk, self.context.conclusion.state
        verdict = verdict or self.verdict
        if state is None or state.summary is None:
            say(self._console, verdict.line)
            return
        if kiosk.is_simulated_elsewhere:
            say(self._console, summary_table.SIMULATED, "bold yellow")
        closing_screen.show(self._console, state, verdict, simulated=kiosk.embedded is not None)

    def _release(self, state: Finalization) -> None:
        """Let go of all that the run holds; from now on its page shows what was written."""
        try:
            self.context.resources.close()
        finally:
            self.context.observers.live.conclude(state.picture)
