"""Inputs of a run's finalization, none of which a step changes."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gevent.event import Event

from kiosk_locust.checkpoint.archive import Archived
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.clock import Clock
from kiosk_locust.cost.query import Ended
from kiosk_locust.cost.queue_depth import Queues
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.execution.run import Run
from kiosk_locust.execution.run_state import ALL_CLOSED
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Outcome


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """A run whose tickets are all closed, as far as its finalization has to know it."""

    options: Options
    outcomes: Counter[Outcome]
    ended_by: str
    is_over: bool  # every ticket was closed by what the Kiosk did
    given_up: Event  # set once nothing more is to be waited for
    trouble: str = ""  # why it could not go on
    aborted: str = ""  # the threshold whose miss ended it, as was wanted
    never_leased: int = 0
    is_distributed: bool = False
    ended_at: float | None = None  # epoch seconds, of one whose process died; None: now

    @classmethod
    def of(cls, run: Run, aborted: str = "") -> ClosedRun:
        """The run of this process."""
        state = run.state
        return cls(
            run.options,
            state.outcomes,
            state.ended_by,
            is_over=state.finished,
            given_up=state.given_up,
            trouble=state.trouble,
            aborted=aborted,
            never_leased=state.never_leased,
            is_distributed=isinstance(run, MasterRun),
        )

    @property
    def is_hurried(self) -> bool:
        """True if a cluster is about to kill the process."""
        return self.ended_by == signal.SIGTERM.name and self.ended_at is None

    @property
    def is_interrupted(self) -> bool:
        """True if neither its last job nor a missed threshold ended it."""
        return not (self.is_over or self.aborted or self.ended_by == ALL_CLOSED)


class CostQuery(Protocol):
    """Asks what a run cost; see `kiosk_locust.cost.query.Costing`."""

    def hurry(self, limit_s: float = ...) -> None:
        """Ask for so long at most."""

    def ask(self, ended: Ended) -> RunCost | None:
        """The cost of the run; None where there is nobody to ask. Raises nothing."""


class FileArchive(Protocol):
    """Keeps the files of a run in a bucket; see `kiosk_locust.checkpoint.archive.Archive`."""

    @property
    def url(self) -> str:
        """The bucket's address."""

    @property
    def unheard_s(self) -> float:
        """For how many seconds the bucket has given no sign of life; 0.0: it is not asked."""

    def keep(self, files: Iterable[Path]) -> Archived:
        """Upload each file."""

    def drop(self, file_names: Iterable[str]) -> None:
        """Delete results that the run had before it was resumed."""


@dataclass(frozen=True, slots=True)
class FinalizeInputs:
    """A closed run, and the services that its finalization asks; None: not wanted."""

    run: ClosedRun
    name: str
    output_dir: Path  # of the run's files
    clock: Clock
    cost_query: CostQuery | None = None
    archive: FileArchive | None = None
    checkpoints: Checkpoints | None = None
    overtaken: Sequence[str] = ()  # that another process writes checkpoints of the run; may grow
    queue_depth: Callable[[float], Queues] | None = None  # of the Kiosk, within so many seconds
    process_figures: Callable[[], Generator] | None = None  # of this session's processes
