"""The finish of a run, once every ticket is closed: what is written, and how it went."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import TypeVar

import gevent
from rich.console import Console

from kiosk_locust import definitions, judging, report, results
from kiosk_locust.archive import Archive, Archived
from kiosk_locust.checkpoints import Checkpoints
from kiosk_locust.clock import Clock
from kiosk_locust.cost.annotations import RunNote
from kiosk_locust.cost.stored import RunCost
from kiosk_locust.costing import SIGTERM_LIMIT_S, Costing, Ended
from kiosk_locust.errors import KioskLocustError, LedgerError
from kiosk_locust.idle import Queues
from kiosk_locust.ledger import Ledger
from kiosk_locust.leftover import Leftover
from kiosk_locust.masterrun import MasterRun
from kiosk_locust.quality import junit
from kiosk_locust.quality.judgement import Judgement
from kiosk_locust.quality.processes import Generator
from kiosk_locust.quality.thresholds import Miss, Row
from kiosk_locust.reading import facts, opened
from kiosk_locust.realthread import in_thread
from kiosk_locust.reckoning import Reckoning
from kiosk_locust.remains import left_in_the_kiosk
from kiosk_locust.run import ALL_CLOSED, Run
from kiosk_locust.screen import closing
from kiosk_locust.summary import Summary
from kiosk_locust.times import ends
from kiosk_locust.transfers.movers import results_folder
from kiosk_locust.verdict import Verdict, exit_code
from kiosk_locust.web import past, told
from kiosk_locust.web.picture import Picture
from kiosk_locust.web.told import Told
from kiosk_locust.workdone import counted_a_job

logger = logging.getLogger(__name__)

Step = Callable[[], None]
T = TypeVar("T")

#: How long a checkpoint at the end is waited for, and where a cluster is about to kill the process.
CHECKPOINT_S, SIGTERM_CHECKPOINT_S = 60.0, 2.0
#: The same where the one before it was waited for in vain.
MUTE_CHECKPOINT_S = 5.0
#: The same of the Kiosk's queues.
LOOK_S, SIGTERM_LOOK_S = 5.0, 0.5
#: A step that waits for others says so as often, in seconds.
TELL_S = 10.0
#: What an annotation says of a run, by its exit code.
_OUTCOMES = {0: "done", 1: "failed", 2: "interrupted"}


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Say every few seconds what the end of a run is held up by."""

    def tell() -> None:
        for number in itertools.count(1):
            gevent.sleep(TELL_S)
            logger.warning("%s: %.0f s so far", what, number * TELL_S)

    telling = gevent.spawn(tell)
    try:
        yield
    finally:
        telling.kill()


class Finish:
    """Carries out the finishing steps of ``run``, whose ledger is ``ledger``.

    Whatever goes wrong in one step, the others are done; ``problems`` has a line for each. A step
    that writes a file adds it to ``files``. ``output_dir`` is where the run's files go, and
    ``costing`` asks what the run cost, if anybody shall; ``archive``, if there is one, is where
    they go then.
    """

    def __init__(
        self,
        run: Run,
        ledger: Ledger,
        output_dir: Path,
        clock: Clock,
        *,
        costing: Costing | None = None,
        archive: Archive | None = None,
        checkpoints: Checkpoints | None = None,
        look: Callable[[float], Queues] | None = None,
        generator: Callable[[], Generator] | None = None,
        aborted: Miss | None = None,
    ) -> None:
        self.run = run
        self.files = [ledger.path]
        self.summary: Summary | None = None
        self.picture: Picture | None = None  # of the run as its page shows it, once it is read
        self.cost: RunCost | None = None
        self.problems: list[str] = [run.trouble] if run.trouble else []
        self.archived = Archived()
        self.judgement: Judgement | None = None  # once it was made
        self._archive = archive
        self._checkpoints = checkpoints
        self._look = look
        self._queues = ""  # what the Kiosk still has to do, in words
        self._rows: tuple[Row, ...] = ()  # the judgement's thresholds
        self._reckoning: Reckoning | None = None  # shared by judgement, page and results
        self._told: Told | None = None
        self._bucket_is_mute = False  # a checkpoint was waited for in vain
        self._has_results = False  # once this end has written them
        self._generator = generator
        self._aborted = aborted
        self._ledger = ledger
        self._path = ledger.path
        self._output_dir = output_dir
        self._clock = clock
        self._costing = costing

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every run ends with; after the first, the ledger lacks but cost and verdict."""
        return (
            self.record_end,
            self.keep_checkpoint,
            self.look_at_queues,
            self.ask_cost,
            self.judge,
            self.tell,
            self.close_ledger,
            self.keep_checkpoint,  # with cost and verdict, for who asks for the run once more
            self.write_results,
            self.write_report,
            self.let_go,
            self.upload,
            self.write_junit,  # it is for whoever started the run, not for the bucket
        )

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do each of ``steps``; what one raises is a problem of the run, and the next is done."""
        for step in steps:
            try:
                step()
            except (KioskLocustError, OSError) as error:
                self.problems.append(str(error))
            except Exception as error:
                logger.exception("a fault at the end of the run")
                self.problems.append(f"a fault of kiosk_locust: {error!r}")

    def note_interruption(self) -> None:
        """That the run was interrupted is a problem, if it is the only one."""
        run = self.run
        if self._aborted:
            return
        if not self.problems and run.ended_by != ALL_CLOSED and not run.finished:
            self.problems.append(f"interrupted by {run.ended_by}")

    def verdict(self) -> Verdict:
        """How it went: by the jobs' outcomes, unless there were problems."""
        summary = self.summary
        # A run of which every ticket is closed was not interrupted, however its jobs ended.
        return exit_code(
            self.run.outcomes,
            finished=True,
            trouble="; ".join(self.problems),
            judgement=self.judgement,
            aborted=str(self._aborted or ""),
            results_missing=summary.moved.results_missing if summary else 0,
            never_begun=summary.never_begun if summary else self.run.never_leased,
            interrupted=summary.pauses.text if summary else "",
        )

    def advice(self, run_name: str, *, simulated: bool) -> list[str]:
        """Where downloads are, how to go on with an interrupted run, what it left in the Kiosk."""
        later = [*self._skipped(), *self._downloaded(run_name), *self._to_upload_later()]
        if self.run.finished or simulated:
            return later
        words = list(self._leftover().lines())
        is_there = self._path.parent.absolute() == self._output_dir.absolute()
        resumable_as = run_name if is_there else self._path
        return [*later, *words, f"to go on with it: locust … --resume {resumable_as}"]

    def _leftover(self) -> Leftover:
        """What it left in the Kiosk; GPU nodes as far as the run's cost is known."""
        summary, priced = self.summary, self.cost.of(None) if self.cost else None
        options = self.run.options
        is_zip = options.file.lower().endswith(".zip")
        counted = self._counted_a_job() if is_zip else 1
        usd = priced.legacy.get("gpu_node_cost") if priced else None
        return Leftover(
            jobs=left_in_the_kiosk(self._path),
            images_per_job=counted or options.cost.images_per_job,
            is_planned=counted is None,
            images_done=summary.images_done if summary else 0,
            images_per_s=summary.images_per_s if summary else None,
            gpu_nodes_usd=float(usd) if usd else None,
            queues=self._queues,
        )

    def _counted_a_job(self) -> int | None:
        """How many images the Kiosk counted in each ZIP; None: it counted none yet."""
        try:
            with opened(self._path) as db:
                return counted_a_job(db)
        except (LedgerError, sqlite3.Error):
            return None

    def _skipped(self) -> list[str]:
        """The files that made no job, which were told at the start: it may be long ago."""
        try:
            with opened(self._path) as db:
                inputs = facts(db).inputs
        except (LedgerError, sqlite3.Error):
            return []
        return [inputs.line] if inputs and inputs.line else []

    def _downloaded(self, run_name: str) -> list[str]:
        if self.summary is None or not self.summary.moved.downloads:
            return []
        at = " on the workers' machines" if isinstance(self.run, MasterRun) else ""
        return [f"downloaded: to {results_folder(self._output_dir, run_name)}{at}"]

    def _to_upload_later(self) -> list[str]:
        if not self.archived.missed:
            return []
        return [
            f"not uploaded: {self.archived.reason}",
            f"to upload it later: python -m kiosk_locust upload-results {self._path}",
        ]

    def show(self, console: Console, verdict: Verdict, run_name: str, *, simulated: bool) -> None:
        """Print the closing summary, once there is one."""
        if self.summary is None:
            return
        closing.show(
            console,
            self.summary,
            verdict,
            run_name=run_name,
            simulated=simulated,
            files=self.files,
            uploaded=self.archived.urls,
            cost=self.cost,
            judgement=self.judgement,
            advice=self.advice(run_name, simulated=simulated),
        )

    # -- the steps

    def record_end(self) -> None:
        """Write how the run ended."""
        ended_at = self._clock.now()
        self._ledger.set_session(ended_at=ended_at, ended_by=self.run.ended_by)
        self._ledger.set_meta(
            ended_at=repr(ended_at),
            ended_by=self.run.ended_by,
            finished="true" if self.run.finished else "false",
        )

    def keep_checkpoint(self) -> None:
        """Keep the ledger in the bucket as it now is; that this fails is no problem of the run."""
        if self._checkpoints is None:
            return
        was_terminated = self.run.ended_by == signal.SIGTERM.name
        within_s = SIGTERM_CHECKPOINT_S if was_terminated else CHECKPOINT_S
        if self._bucket_is_mute:  # it did not take the one before
            within_s = min(within_s, MUTE_CHECKPOINT_S)
        began = monotonic()
        with _telling("the last checkpoint goes to the bucket"):
            self._checkpoints.last(within_s, self.run.given_up)
        self._bucket_is_mute = monotonic() - began >= within_s

    def look_at_queues(self) -> None:
        """After an interruption, how much the Kiosk still has to do, where that can be known."""
        if self._look is None or self.run.finished:
            return
        was_terminated = self.run.ended_by == signal.SIGTERM.name
        found = self._look(SIGTERM_LOOK_S if was_terminated else LOOK_S)
        self._queues = str(found)

    def ask_cost(self) -> None:
        """Ask what the run cost, and keep it in the ledger: results come from there alone.

        Raises nothing: a run whose cost is not known is none the worse.
        """
        if self._costing is None:
            return
        try:
            self._ask_cost(self._costing)
        except Exception:
            logger.exception("a fault while the cost was asked for; the run's end goes on")

    def _ask_cost(self, costing: Costing) -> None:
        with contextlib.suppress(LedgerError):  # the disk may be full: to close it tells
            self._ledger.settle()
        if self.run.ended_by == signal.SIGTERM.name:
            costing.hurry(SIGTERM_LIMIT_S)
        with opened(self._path) as db:
            run = facts(db)
        verdict = self.verdict()
        note = RunNote(
            start_at=run.started_at or self._clock.now(),
            end_at=run.ended_at or self._clock.now(),
            run_id=run.run_id,
            run_name=run.run_name,
            job_type=str(run.options.get("job_type", "")),
            outcome=_OUTCOMES[verdict.code],
            told=verdict.why,
        )
        was_signalled = "SIG" in self.run.ended_by
        self.cost = costing.ask(
            Ended(
                self._path,
                note,
                was_signalled=was_signalled,
                due_at=run.time_zero,
                ends=self._ends(),
            )
        )
        if self.cost or run.cost:  # what an earlier session found is no longer true
            self._ledger.set_meta(cost=self.cost.as_text() if self.cost else "")

    def _ends(self) -> dict[int | None, float]:
        """The last end of a job, of each cycle and of the run (None), where all jobs ended."""
        if self.run.ended_by == signal.SIGTERM.name:  # there is no time to look at each job
            return {}
        reckoning = self._reckoning = Reckoning(self._path)

        def last_ends() -> dict[int | None, float]:
            with reckoning:
                return ends(reckoning.db, reckoning.times)

        try:
            return self._reckoned(last_ends, "when the last job ended is not known")
        except LedgerError as error:  # its disk may be full; the cost is asked for all the same
            logger.warning("the cost is counted until the run's end: %s", error)
            return {}

    def judge(self) -> None:
        """Whether the numbers count, and what became of thresholds; kept in the ledger."""
        with contextlib.suppress(LedgerError):  # the disk may be full: to close it tells
            self._ledger.settle()
        generator = self._generator() if self._generator else Generator({})
        trust = self.run.options.trust
        reckoning = self._reckoning = self._reckoning or Reckoning(self._path)
        judged = self._reckoned(
            lambda: judging.judge(reckoning, trust, generator, self._aborted),
            "the run could not be judged",
        )
        self.judgement, self._rows = judged.judgement, judged.rows
        self._ledger.set_meta(
            **{definitions.KEY: str(definitions.VERSION)},
            judgement=judged.judgement.as_text(),
            generator=judged.generator.as_text(),
        )

    def tell(self) -> None:
        """Keep in the ledger what pages tell of its jobs: to work that out takes a minute."""
        reckoning = self._reckoning
        if reckoning is None:
            return

        def work_out() -> tuple[Told, str]:
            with reckoning:
                found = told.work_out(reckoning)
                return found, found.as_text(reckoning)

        self._told, text = self._reckoned(work_out, "what the run's page shows was not kept")
        self._ledger.set_meta(**{told.KEY: text})

    def _reckoned(self, work: Callable[[], T], failed: str) -> T:
        """What ``work`` makes of the reckoning, in a real thread; raises LedgerError."""
        try:
            return in_thread(work)
        except (KioskLocustError, OSError, sqlite3.Error) as error:
            self.let_go()
            raise LedgerError(f"{failed}: {error}; the records are in {self._path}") from error

    def let_go(self) -> None:
        """Nobody needs the times of jobs any more."""
        if self._reckoning is not None:
            self._reckoning.close()
            self._reckoning = None

    def write_junit(self) -> None:
        """Thresholds and verdict for a CI system, where that is wanted."""
        trust = self.run.options.trust
        if not trust.junit_xml or self.judgement is None:
            return
        with opened(self._path) as db:
            run = facts(db)
        path = Path(trust.junit_xml)
        started_at = run.started_at or 0.0
        text = junit.write(
            self._rows,
            name=run.run_name,
            reasons=[reason.why for reason in self.judgement.reasons],
            started_at=started_at,
            took_s=(run.ended_at or started_at) - started_at,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.files.append(path)

    def close_ledger(self) -> None:
        """Close the ledger; it is complete."""
        self._ledger.close()

    def write_results(self) -> None:
        """Results and summary, in a real thread: a million jobs take a while."""
        written = self._reckoned(
            lambda: results.write_all(self._path, self._output_dir, self._reckoning),
            "the results could not be written",
        )
        self.summary = written.summary
        self.files += written.paths
        self._has_results = True
        if self._path.parent.absolute() != self._output_dir.absolute():
            results.remove_older(self._path.parent, written.run_id, written.paths)

    def write_report(self) -> None:
        """The report, in a real thread; what is known of problems by now stands in it."""
        self.note_interruption()
        verdict = self.verdict().line
        path = self._output_dir / f"{self._path.stem}.html"

        def make() -> Picture:
            picture = past.read(self._path, self._told, verdict, also=path)
            report.write(picture, path)
            return picture

        try:
            self.picture = in_thread(make)
        except (KioskLocustError, OSError, sqlite3.Error) as error:
            raise LedgerError(
                f"the report could not be written: {error}; when that is mended, run:"
                f" python -m kiosk_locust report {self._path}"
            ) from error
        self.files.append(path)

    def upload(self) -> None:
        """Bring the files to the bucket; that this fails is no problem of the run.

        A second Ctrl-C ends it, too.
        """
        if self._archive is None:
            return
        uploading = gevent.spawn(self._keep, self._archive)
        with _telling("the run's files go to the bucket (Ctrl-C leaves them here alone)"):
            gevent.wait([uploading, self.run.given_up], count=1)
        if uploading.successful():
            self.archived = uploading.value
        else:
            fault = uploading.exception
            uploading.kill()
            reason = f"a fault of kiosk_locust: {fault!r}" if fault else "it was interrupted"
            self.archived = Archived(missed=[(path, reason) for path in self.files])
        for path, reason in self.archived.missed:
            logger.warning("%s was not uploaded: %s", path, reason)

    def _keep(self, archive: Archive) -> Archived:
        """Keep the files; then results that the run had before it was resumed may go."""
        done = archive.keep(list(self.files))
        if self._has_results and not done.missed:
            archive.drop(results.earlier_names(self._path, self.files))
        return done
