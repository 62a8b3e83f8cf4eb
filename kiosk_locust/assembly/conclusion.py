"""The result of a run's finalization, so far as there is one: `Conclusion`."""

from __future__ import annotations

from kiosk_locust.assembly.finalize_steps.state import Finalization
from kiosk_locust.verdict.exit_code import Verdict


class Conclusion:
    """The state of a run's finalization by its last step, for all who are asked of it."""

    def __init__(self) -> None:
        self.state: Finalization | None = None  # before its first step
        self.is_over = False  # everything is written and judged

    def note(self, state: Finalization) -> None:
        """A step was done."""
        self.state = state

    def end(self, state: Finalization) -> None:
        """The last step was done."""
        self.note(state)
        self.is_over = True

    @property
    def judged(self) -> str:
        """VALID or INVALID; empty before the run is judged."""
        judgement = self.state.judgement if self.state else None
        return judgement.verdict if judgement else ""

    @property
    def verdict(self) -> Verdict:
        """The run's."""
        if self.state is None or not self.is_over:
            return Verdict(2, "the run was not finished")
        return self.state.last_verdict
