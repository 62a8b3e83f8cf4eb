"""The state of a run's finalization, which each step returns anew."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiosk_locust.assembly.finalize_steps.analysis import SharedAnalysis
from kiosk_locust.assembly.finalize_steps.inputs import FinalizeInputs
from kiosk_locust.checkpoint.archive import Archived
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.finish_steps import FinishRecord
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.reporting.web.page_cache import Told
from kiosk_locust.reporting.web.view_model import Picture
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement

_NOT_JUDGED = "the run was not judged"


@dataclass(frozen=True, slots=True)
class Finalization:
    """Inputs of a run's finalization, and the results of its steps so far.

    ``ledger`` is the run's: open for writing, and closed once only later steps are missing.
    """

    inputs: FinalizeInputs
    ledger: Ledger | ClosedLedger
    analysis: SharedAnalysis
    record: FinishRecord
    faults: tuple[str, ...] = ()  # a line for all that went wrong
    has_failed: bool = False  # a step did
    figures: Generator | None = None  # what the processes of all sessions saw of themselves
    queues: str = ""  # what the Kiosk still has to do, in words
    cost: RunCost | None = None
    judgement: Judgement | None = None
    page: Told | None = None  # what pages show of the run's jobs
    summary: Summary | None = None
    picture: Picture | None = None  # of the run as its page shows it
    junit: Path | None = None  # once it is written
    archived: Archived = field(default_factory=Archived)

    @classmethod
    def of(
        cls,
        inputs: FinalizeInputs,
        ledger: Ledger | ClosedLedger,
        record: FinishRecord | None = None,
    ) -> Finalization:
        """The state before the first step, or with the ``record`` of those that are complete."""
        faults = (inputs.run.trouble,) if inputs.run.trouble else ()
        return cls(
            inputs, ledger, SharedAnalysis(ledger.path), record or FinishRecord(1), faults=faults
        )

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self.ledger.path

    @property
    def files(self) -> list[Path]:
        """The run's files that are there by now, the ledger first."""
        return [*self.files_to_keep, *([self.junit] if self.junit else [])]

    @property
    def files_to_keep(self) -> list[Path]:
        """Those that go to the bucket; JUnit XML is for whoever started the run."""
        written = (self.record.files.get(step, ()) for step in ("write_results", "write_report"))
        names = [name for step in written for name in step]
        return [self.path, *(self.inputs.output_dir / name for name in names)]

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each reason why the run is not as it was wanted."""
        return (*self.faults, *self.inputs.overtaken)

    @property
    def bucket_is_mute(self) -> bool:
        """True if the last checkpoint was waited for in vain."""
        checkpoints = self.inputs.checkpoints
        return checkpoints is not None and checkpoints.has_timed_out

    def failed(self, problem: str) -> Finalization:
        """The same, after a step that failed."""
        return replace(self, faults=(*self.faults, problem), has_failed=True)

    def with_interruption(self) -> Finalization:
        """The same; that the run was interrupted is a problem, if it is the only one."""
        if self.problems or not self.inputs.run.is_interrupted:
            return self
        return replace(self, faults=(f"interrupted by {self.inputs.run.ended_by}",))

    def verdict(self, *, is_judged: bool = True) -> Verdict:
        """The verdict by the jobs' outcomes, unless there were problems.

        There is no exit code 0 without a judgement, but where that is still to come.
        """
        run, summary, problems = self.inputs.run, self.summary, "; ".join(self.problems)
        if is_judged and self.judgement is None:
            problems = problems or _NOT_JUDGED
        # A run of which every ticket is closed was not interrupted, however its jobs ended.
        return exit_code(
            run.outcomes,
            finished=True,
            trouble=problems,
            judgement=self.judgement,
            aborted=run.aborted,
            results_missing=summary.moved.results_missing if summary else 0,
            never_begun=summary.never_begun if summary else run.never_leased,
            interrupted=summary.pauses.text if summary else "",
        )

    @property
    def last_verdict(self) -> Verdict:
        """The verdict that the ledger has, unless there were problems since."""
        if self.problems or self.record.exit_code is None:
            return self.verdict()
        return Verdict(self.record.exit_code, self.record.why)

    def facts(self) -> RunFacts:
        """The run's facts, as its ledger has them by now; raises LedgerError."""
        with opened(self.path) as db:
            return facts(db)

    def settle(self) -> None:
        """Have on the disk what was said, where that can be."""
        with contextlib.suppress(LedgerError):  # the disk may be full: to close it tells
            self.ledger.settle()


@dataclass(frozen=True, slots=True)
class StepResult:
    """The state after a step; a step with a ``problem`` has failed, and is not complete."""

    state: Finalization
    is_complete: bool = True
    problem: str = ""


#: Raises, or returns a problem, where it fails; what is no problem of the run, and not complete
#: either, is tried again by whoever resumes the run.
Step = Callable[[Finalization], StepResult]
