"""The finish of a run, once every ticket is closed: step after step, each complete for good.

A step is a function over a `Finish`. Whatever goes wrong in one of them, the others are done. Once
one is complete, the ledger says so (`ledger.finish_steps`): should the process die, whoever
resumes the run carries out the steps that are missing, and no others.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import gevent
from gevent.event import Event

from kiosk_locust import events
from kiosk_locust.checkpoint.archive import Archived
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.clock import Clock
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.query import SIGTERM_LIMIT_S, Ended
from kiosk_locust.cost.queue_depth import Queues
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.errors import (
    BucketUnreachable,
    KioskLocustError,
    LedgerError,
    Mistake,
    OptionsError,
)
from kiosk_locust.execution.run import ALL_CLOSED, Run
from kiosk_locust.formatting import units
from kiosk_locust.formatting.wait_messages import reminding
from kiosk_locust.ledger.finish_steps import FinishRecord
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.measurement.summary import Summary
from kiosk_locust.measurement.timing_tables import ends
from kiosk_locust.model import definitions
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import Outcome
from kiosk_locust.native_thread import in_thread
from kiosk_locust.reporting import html, junit, results_json
from kiosk_locust.reporting.web import from_ledger, page_cache
from kiosk_locust.reporting.web.page_cache import Told
from kiosk_locust.reporting.web.view_model import Picture
from kiosk_locust.storage import atomic_files
from kiosk_locust.storage.atomic_files import whole_file
from kiosk_locust.storage.transfers.movers import results_folder
from kiosk_locust.verdict import evaluate
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement, rows

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How long a checkpoint at the end is waited for, and where a cluster is about to kill the process.
CHECKPOINT_S, SIGTERM_CHECKPOINT_S = 60.0, 2.0
#: The same where the one before it was waited for in vain.
NEXT_CHECKPOINT_S = 5.0
#: A bucket without any sign of life is waited for so long, and so long after it was once in vain:
#: more than the 10 s that may lie between two tries.
MUTE_S, MUTE_AGAIN_S = 20.0, 15.0
#: The same of the Kiosk's queues.
LOOK_S, SIGTERM_LOOK_S = 5.0, 0.5
#: What an annotation says of a run, by its exit code.
_OUTCOMES = {0: "done", 1: "failed", 2: "interrupted"}
_NOT_JUDGED = "the run was not judged"


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """A run whose tickets are all closed, as far as its finish has to know it."""

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
        return cls(
            run.options,
            run.outcomes,
            run.ended_by,
            is_over=run.finished,
            given_up=run.given_up,
            trouble=run.trouble,
            aborted=aborted,
            never_leased=run.never_leased,
            is_distributed=isinstance(run, MasterRun),
        )

    @property
    def is_hurried(self) -> bool:
        """True if a cluster is about to kill the process."""
        return self.ended_by == signal.SIGTERM.name and self.ended_at is None


class AsksCost(Protocol):
    """Asks what a run cost; see `kiosk_locust.cost.query.Costing`."""

    def hurry(self, limit_s: float = ...) -> None:
        """Ask for so long at most."""

    def ask(self, ended: Ended) -> RunCost | None:
        """The cost of the run; None where there is nobody to ask. Raises nothing."""


class KeepsFiles(Protocol):
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


class Finish:
    """The state of a run's finish: the inputs of its steps, and their results so far.

    ``ledger`` is the run's, open for writing, or closed where only later steps are missing.
    ``output_dir`` is where the run's files go; ``asks_cost``, ``keeps_files`` and ``checkpoints``
    are there if they are wanted. ``look`` asks for the Kiosk's queues, ``generator`` for what the
    processes saw of themselves. ``record`` is of a finish that is taken up, and ``closed_run`` what
    listeners of ``run_closed`` are given. ``problems`` has a line for all that went wrong.
    """

    def __init__(
        self,
        run: ClosedRun,
        ledger: Ledger | ClosedLedger,
        output_dir: Path,
        clock: Clock,
        *,
        asks_cost: AsksCost | None = None,
        keeps_files: KeepsFiles | None = None,
        checkpoints: Checkpoints | None = None,
        look: Callable[[float], Queues] | None = None,
        generator: Callable[[], Generator] | None = None,
        record: FinishRecord | None = None,
        closed_run: object = None,
    ) -> None:
        self.run = run
        self.ledger = ledger
        self.path = ledger.path
        self.output_dir = output_dir
        self.clock = clock
        self.asks_cost = asks_cost
        self.keeps_files = keeps_files
        self.checkpoints = checkpoints
        self.look = look
        self.generator = generator
        self.record = record or FinishRecord(1)
        self.closed_run = closed_run
        self.problems: list[str] = [run.trouble] if run.trouble else []
        self.has_failed = False  # a step raised
        self.seen: Generator | None = None  # what the processes of all sessions saw
        self.queues = ""  # what the Kiosk still has to do, in words
        self.cost: RunCost | None = None
        self.judgement: Judgement | None = None
        self.told: Told | None = None
        self.summary: Summary | None = None
        self.picture: Picture | None = None  # of the run as its page shows it
        self.archived = Archived()
        self.junit: Path | None = None  # once it is written
        self._reckoning: Reckoning | None = None  # shared by judgement, page and results
        self._bucket_is_mute = False  # a checkpoint was waited for in vain

    @property
    def files(self) -> list[Path]:
        """The run's files that are there by now, the ledger first."""
        return [*self.files_to_keep, *([self.junit] if self.junit else [])]

    @property
    def files_to_keep(self) -> list[Path]:
        """Those that go to the bucket; JUnit XML is for whoever started the run."""
        written = (self.record.files.get(step, ()) for step in ("write_results", "write_report"))
        return [self.path, *(self.output_dir / name for names in written for name in names)]

    @property
    def has_results(self) -> bool:
        """True once the results are written."""
        return "write_results" in self.record.files

    def recall(self, run: RunFacts) -> None:
        """Take from the ledger what the steps that are complete had come to; raises LedgerError."""
        complete = self.record.steps
        self.seen = Generator.stored(run.generator_text) or evaluate.whole(run, Generator({}))
        self.cost = RunCost.of_run(run) if "ask_cost" in complete else None
        self.judgement = Judgement.of_run(run) if "judge" in complete else None
        with opened(self.path) as db:
            self.told = page_cache.kept(db, run) if "tell" in complete else None
        self.summary = self.told.summary if self.told else None
        if self.summary is None and "write_results" in complete:
            self.summary = self.reckoned(_summary, "the run's summary could not be made")

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do each of ``steps`` that is not complete; what one raises is a problem of the run."""
        for step in steps:
            if step.__name__ in self.record.steps:
                continue
            if self.isolated(lambda: step(self)):  # noqa: B023  it is called at once
                self.complete(step.__name__)

    def isolated(self, work: Callable[[], T]) -> T | None:
        """Return what ``work`` does; note what it raises as a problem of the run."""
        try:
            return work()
        except (KioskLocustError, OSError) as error:
            self.problems.append(str(error))
        except Exception as error:
            logger.exception("a fault at the end of the run")
            self.problems.append(f"a fault of kiosk_locust: {error!r}")
        self.has_failed = True
        return None

    def complete(self, name: str) -> None:
        """Have the ledger say that a step is complete, with what the next ones need of it.

        Where the disk takes no more, it stays incomplete there, and a resume makes it up.
        """
        self.record = self.record.with_step(name)
        with contextlib.suppress(LedgerError):  # to close the ledger tells
            self.ledger.set_meta(**self.record.as_meta([name]))
            self.ledger.settle()

    def wrote(self, step: str, paths: Iterable[Path]) -> None:
        """The step has written these files of the run."""
        files = {**self.record.files, step: tuple(path.name for path in paths)}
        self.record = replace(self.record, files=files)

    def note_interruption(self) -> None:
        """That the run was interrupted is a problem, if it is the only one."""
        run = self.run
        if run.aborted:
            return
        if not self.problems and run.ended_by != ALL_CLOSED and not run.is_over:
            self.problems.append(f"interrupted by {run.ended_by}")

    def verdict(self, *, is_judged: bool = True) -> Verdict:
        """The verdict by the jobs' outcomes, unless there were problems.

        There is no exit code 0 without a judgement, but where that is still to come.
        """
        summary, problems = self.summary, "; ".join(self.problems)
        if is_judged and self.judgement is None:
            problems = problems or _NOT_JUDGED
        # A run of which every ticket is closed was not interrupted, however its jobs ended.
        return exit_code(
            self.run.outcomes,
            finished=True,
            trouble=problems,
            judgement=self.judgement,
            aborted=self.run.aborted,
            results_missing=summary.moved.results_missing if summary else 0,
            never_begun=summary.never_begun if summary else self.run.never_leased,
            interrupted=summary.pauses.text if summary else "",
        )

    def facts(self) -> RunFacts:
        """The run's facts, as its ledger has them by now; raises LedgerError."""
        with opened(self.path) as db:
            return facts(db)

    def settle(self) -> None:
        """Have on the disk what was said, where that can be."""
        with contextlib.suppress(LedgerError):  # the disk may be full: to close it tells
            self.ledger.settle()

    def reckoned(self, work: Callable[[Reckoning], T], failed: str) -> T:
        """Apply ``work`` to the run's reckoning, in a real thread; raises LedgerError."""
        reckoning = self._reckoning = self._reckoning or Reckoning(self.path)
        try:
            return in_thread(lambda: work(reckoning))
        except (KioskLocustError, OSError, sqlite3.Error) as error:
            self.let_go()
            raise LedgerError(f"{failed}: {error}; the records are in {self.path}") from error

    def let_go(self) -> None:
        """Nobody needs the times of jobs any more."""
        if self._reckoning is not None:
            self._reckoning.close()
            self._reckoning = None

    @property
    def mute_s(self) -> float:
        """Time in seconds after which a bucket without any sign of life is given up."""
        return MUTE_AGAIN_S if self._bucket_is_mute else MUTE_S

    def checkpoint(self) -> bool:
        """Keep the ledger in the bucket as it now is; False where that failed."""
        if self.checkpoints is None:
            return True
        within_s = SIGTERM_CHECKPOINT_S if self.run.is_hurried else CHECKPOINT_S
        if self._bucket_is_mute:  # it did not take the one before
            within_s = min(within_s, NEXT_CHECKPOINT_S)
        mute_s = min(MUTE_S, within_s)
        with reminding("the last checkpoint goes to the bucket"):
            is_kept = self.checkpoints.last(within_s, self.run.given_up, mute_s)
        self._bucket_is_mute = self.checkpoints.has_timed_out
        return is_kept


def _summary(reckoning: Reckoning) -> Summary:
    with reckoning:
        return reckoning.summary()


#: One step: True where it is complete. What is no problem of the run, and is not complete either,
#: returns False; what is a problem raises.
Step = Callable[[Finish], bool]


# -- while the ledger is written to


def record_end(finish: Finish) -> bool:
    """Write how the run ended, and what its processes saw of themselves."""
    run, ledger = finish.run, finish.ledger
    ended_at = finish.clock.now() if run.ended_at is None else run.ended_at
    if isinstance(ledger, Ledger):
        ledger.set_session(ended_at=ended_at, ended_by=run.ended_by)
    ledger.set_meta(ended_at=repr(ended_at), ended_by=run.ended_by)
    seen = finish.generator() if finish.generator else Generator({})
    session = 1
    try:
        before = finish.facts()  # of this end it has nothing yet, but the session's number
    except LedgerError as error:
        logger.warning("earlier sessions of the run are left out of its judgement: %s", error)
    else:
        seen = evaluate.whole(before, seen) if finish.seen is None else finish.seen
        session = seen.session
    finish.seen = seen
    finish.record = replace(
        finish.record,
        session=session,
        is_over=run.is_over,
        aborted=run.aborted,
        trouble=run.trouble,
    )
    ledger.set_meta(generator=seen.as_text())
    return True


def keep_checkpoint(finish: Finish) -> bool:
    """Keep the ledger in the bucket before others are asked; that this fails is no problem."""
    finish.checkpoint()
    return True  # the last one tells more


def look_at_queues(finish: Finish) -> bool:
    """After an interruption, how much the Kiosk still has to do, where that can be known."""
    if finish.look is not None and not finish.run.is_over:
        finish.queues = str(finish.look(SIGTERM_LOOK_S if finish.run.is_hurried else LOOK_S))
    return True


def ask_cost(finish: Finish) -> bool:
    """Ask what the run cost, and keep it in the ledger: results come from there alone.

    Raises nothing: a run whose cost is not known is none the worse.
    """
    if finish.asks_cost is None:
        return True
    try:
        _ask_cost(finish, finish.asks_cost)
    except Exception:
        logger.exception("a fault while the cost was asked for; the run's end goes on")
    return True


def _ask_cost(finish: Finish, asks_cost: AsksCost) -> None:
    finish.settle()
    if finish.run.is_hurried:
        asks_cost.hurry(SIGTERM_LIMIT_S)
    run = finish.facts()
    verdict = finish.verdict(is_judged=False)
    note = RunNote(
        start_at=run.started_at or finish.clock.now(),
        end_at=run.ended_at or finish.clock.now(),
        run_id=run.run_id,
        run_name=run.run_name,
        job_type=str(run.options.get("job_type", "")),
        outcome=_OUTCOMES[verdict.code],
        told=verdict.why,
    )
    finish.cost = asks_cost.ask(
        Ended(
            finish.path,
            note,
            was_signalled="SIG" in finish.run.ended_by,
            due_at=run.time_zero,
            ends=_ends(finish),
        )
    )
    if finish.cost or run.cost_text:  # what an earlier session found is no longer true
        finish.ledger.set_meta(cost=finish.cost.as_text() if finish.cost else "")


def _ends(finish: Finish) -> dict[int | None, float]:
    """The last end of a job, of each cycle and of the run (None), where all jobs ended."""
    if finish.run.is_hurried:  # there is no time to look at each job
        return {}

    def last_ends(reckoning: Reckoning) -> dict[int | None, float]:
        with reckoning:
            return ends(reckoning.db, reckoning.times)

    try:
        return finish.reckoned(last_ends, "when the last job ended is not known")
    except LedgerError as error:  # its disk may be full; the cost is asked for all the same
        logger.warning("the cost is counted until the run's end: %s", error)
        return {}


def judge(finish: Finish) -> bool:
    """Judge validity and thresholds; with that the run is finished."""
    finish.settle()
    run, seen = finish.run, finish.seen or Generator({})
    judged = finish.reckoned(
        lambda reckoning: evaluate.judge(reckoning, run.options.trust, seen, run.aborted),
        "the run could not be judged",
    )
    finish.judgement = judged.judgement
    finish.ledger.set_meta(
        **{definitions.KEY: str(definitions.VERSION)},
        judgement=judged.judgement.as_text(),
        finished="true" if run.is_over else "false",
    )
    return True


def tell(finish: Finish) -> bool:
    """Keep in the ledger what pages tell of its jobs: to work that out takes a minute."""

    def work_out(reckoning: Reckoning) -> tuple[Told, str]:
        with reckoning:
            worked_out = page_cache.work_out(reckoning)
            return worked_out, worked_out.as_text(reckoning)

    finish.told, text = finish.reckoned(work_out, "what the run's page shows was not kept")
    finish.ledger.set_meta(**{page_cache.KEY: text})
    return True


def close_ledger(finish: Finish) -> bool:
    """Close the ledger: it is complete, but for the steps to come, and nothing is beside it."""
    if isinstance(finish.ledger, Ledger):
        finish.ledger = finish.ledger.close_locked()
    return True


# -- files; the ledger is closed and locked


def keep_last_checkpoint(finish: Finish) -> bool:
    """Keep the ledger with cost and verdict in the bucket, for who asks for the run once more."""
    return finish.checkpoint()


def remove_parts(finish: Finish) -> bool:
    """Delete what processes of the run that died had left half written."""
    run = finish.facts()
    junit_xml = finish.run.options.trust.junit_xml
    atomic_files.remove_parts(
        finish.path,
        run.run_name,
        run.run_id,
        (finish.output_dir, finish.path.parent),
        [Path(junit_xml)] if junit_xml else (),
    )
    atomic_files.remove_downloads(results_folder(finish.output_dir, run.run_name))
    return True


def write_results(finish: Finish) -> bool:
    """Results and summary, in a real thread: a million jobs take a while."""
    written = finish.reckoned(
        lambda reckoning: results_json.write_all(finish.path, finish.output_dir, reckoning),
        "the results could not be written",
    )
    finish.summary = written.summary
    if finish.path.parent.absolute() != finish.output_dir.absolute():
        results_json.remove_older(finish.path.parent, written.run_id, written.paths)
    finish.wrote("write_results", written.paths)
    return True


def write_report(finish: Finish) -> bool:
    """The report, in a real thread; what is known of problems by now stands in it."""
    finish.note_interruption()
    verdict = finish.verdict().line
    path = finish.output_dir / f"{finish.path.stem}.html"

    def make() -> Picture:
        picture = from_ledger.read(finish.path, finish.told, verdict, also=path)
        html.write(picture, path)
        return picture

    try:
        finish.picture = in_thread(make)
    except (KioskLocustError, OSError, sqlite3.Error) as error:
        raise LedgerError(
            f"the report could not be written: {error}; when that is mended, run:"
            f" python -m kiosk_locust report {finish.path}"
        ) from error
    finish.wrote("write_report", [path])
    return True


def write_junit(finish: Finish) -> bool:
    """Thresholds and verdict for a CI system, where that is wanted."""
    trust = finish.run.options.trust
    if not trust.junit_xml or finish.judgement is None:
        return True
    run = finish.facts()
    started_at = run.started_at or 0.0
    text = junit.write(
        rows(finish.judgement, trust.thresholds),
        name=run.run_name,
        reasons=[reason.why for reason in finish.judgement.reasons],
        started_at=started_at,
        took_s=(run.ended_at or started_at) - started_at,
    )
    path = Path(trust.junit_xml)
    try:
        junit.check_replaceable(path)  # it may have come since the run began
    except ValueError as error:
        raise OptionsError([Mistake("JUNIT_XML", str(path), str(error))]) from error
    with whole_file(path) as file:
        file.write(text.encode())
    finish.junit = path
    return True


def decide(finish: Finish) -> bool:
    """Keep the exit code in the ledger, unless a step before is still to be made up."""
    finish.note_interruption()
    if finish.has_failed:
        return False
    verdict = finish.verdict()
    finish.record = replace(finish.record, exit_code=verdict.code, why=verdict.why)
    return True


# -- afterwards; an uploaded copy of the ledger knows nothing of it


def upload(finish: Finish) -> bool:
    """Bring the files to the bucket; that this fails is no problem of the run.

    A second Ctrl-C ends it, too, and so does a bucket without any sign of life.
    """
    finish.let_go()
    if finish.keeps_files is None:
        return True
    uploading = gevent.spawn(_keep, finish, finish.keeps_files)
    with reminding("the run's files go to the bucket (Ctrl-C leaves them here alone)"):
        _await(uploading, finish.keeps_files, finish.mute_s, finish.run.given_up)
    if uploading.successful():
        finish.archived = uploading.value
    else:
        fault = uploading.exception
        uploading.kill()
        reason = f"a fault of kiosk_locust: {fault!r}" if fault else "it was interrupted"
        finish.archived = Archived(missed=[(path, reason) for path in finish.files_to_keep])
    for path, reason in finish.archived.missed:
        logger.warning("%s was not uploaded: %s", path, reason)
    finish.record = replace(finish.record, urls=tuple(finish.archived.urls))
    return not finish.archived.missed


def _await(
    uploading: gevent.Greenlet, keeps_files: KeepsFiles, mute_s: float, given_up: Event
) -> None:
    while not uploading.dead and not given_up.is_set():
        gevent.wait([uploading, given_up], timeout=1.0, count=1)
        if keeps_files.unheard_s >= mute_s:
            silence = units.seconds(keeps_files.unheard_s)
            why = f"{keeps_files.url} has not answered for {silence}"
            uploading.kill(BucketUnreachable(why), block=False)


def _keep(finish: Finish, keeps_files: KeepsFiles) -> Archived:
    """Keep the files; then results that the run had before it was resumed may go."""
    files = finish.files_to_keep
    done = keeps_files.keep(files)
    if finish.has_results and not done.missed:
        keeps_files.drop(results_json.earlier_names(finish.path, files))
    return done


def tell_listeners(finish: Finish) -> bool:
    """Fire ``run_closed``; who resumes a run fires it where the process before came not so far."""
    try:
        events.run_closed.fire(run=finish.closed_run)
    except gevent.GreenletExit:  # only a listener raises it: nobody kills the end of a run
        logger.error("a listener of run_closed raised GreenletExit")  # noqa: TRY400
    except Exception as error:  # noqa: BLE001  the files are written, the end goes on
        finish.problems.append(f"a listener of run_closed raised {error!r}")
        return False
    return True


#: The steps in their order, up to those that need the ledger's lock, and the last one.
STEPS: tuple[Step, ...] = (
    *(record_end, keep_checkpoint, look_at_queues, ask_cost, judge, tell, close_ledger),
    *(keep_last_checkpoint, remove_parts, write_results, write_report, write_junit, decide),
    upload,
)
LAST_STEPS: tuple[Step, ...] = (tell_listeners,)
