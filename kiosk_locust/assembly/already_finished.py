"""A run that is asked for once more, and has no job left: its finish is made up, or its code told.

No session begins, and nothing is submitted. What is asked of others is what the process before did
not come to ask.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gevent.event import Event
from rich.console import Console

from kiosk_locust.assembly import closing_screen
from kiosk_locust.assembly import finalize as finishing
from kiosk_locust.assembly.bucket_preflight import open_for
from kiosk_locust.assembly.resume import Finished, Unfinished
from kiosk_locust.checkpoint.archive import Archive, Archived
from kiosk_locust.checkpoint.scheduler import Checkpoints
from kiosk_locust.checkpoint.snapshot import object_name
from kiosk_locust.clock import Clock, SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.query import Costing, Ended
from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.errors import KioskLocustError
from kiosk_locust.execution.run import ALL_CLOSED
from kiosk_locust.execution.ticket_queue import Tickets
from kiosk_locust.formatting.console import say
from kiosk_locust.ledger import send_account
from kiosk_locust.ledger.finish_steps import STEPS_WITH_LEDGER
from kiosk_locust.ledger.ledger import Ledger
from kiosk_locust.ledger.lock import Lock
from kiosk_locust.ledger.reader import RunFacts, facts, opened
from kiosk_locust.ledger.sessions import gaps, interrupted
from kiosk_locust.ledger.writer import ClosedLedger
from kiosk_locust.model.options import Options
from kiosk_locust.reporting import results_json
from kiosk_locust.storage.bucket import Address, Bucket
from kiosk_locust.verdict.exit_code import Verdict, exit_code
from kiosk_locust.verdict.judgement import Judgement

logger = logging.getLogger(__name__)


def tell(found: Finished, console: Console) -> Verdict:
    """Say that nothing is left to do, write missing results, and return how the run went."""
    nothing = f"the run {found.run.run_name} is finished: nothing is left to do ({found.path})"
    record = found.run.finish
    if record is not None and record.exit_code is not None:
        say(console, f"{nothing}; this is the exit code that it had")
        verdict = Verdict(record.exit_code, record.why)
        say(console, verdict.line)
        return verdict
    say(console, nothing)
    for path in results_json.write_missing(found.path, found.path.parent):
        say(console, f"written: {path}")
    verdict = exit_code(
        found.outcomes,
        finished=True,
        judgement=Judgement.of_run(found.run),
        results_missing=found.results_missing,
        interrupted=interrupted(tuple(gaps(found.run.sessions))),
    )
    say(console, verdict.line)
    return verdict


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A run whose finish is made up, as listeners of ``run_closed`` are given it."""

    name: str
    path: Path
    options: Options
    finish: finishing.Finish

    @property
    def judgement(self) -> Judgement | None:
        """VALID or INVALID, and the thresholds."""
        return self.finish.judgement

    @property
    def files(self) -> list[Path]:
        """The run's files."""
        return self.finish.files


def make_up(
    found: Unfinished,
    options: Options,
    console: Console,
    secrets: Secrets,
    *,
    on_hurry: Callable[[Callable[[], None]], None] = lambda _hurry: None,
    clock: Clock | None = None,
) -> Verdict:
    """Carry out the steps of a run's finish that are missing, and return how the run went.

    ``on_hurry`` is given what is to be called once nothing more is to be waited for. Raises
    LedgerError where another process has the ledger, or it cannot be opened.
    """
    run, path = found.resumption.run, found.resumption.path
    missing = found.record.missing
    say(console, _what(run, path, missing))
    clock = clock or SystemClock()
    given_up = Event()
    closed = _closed(found, options, given_up)
    ledger = _open(path, missing, clock)
    try:
        _forget_accounts(path)
        asks_cost = _asks_cost(run, options, secrets, clock)

        def hurry() -> None:
            given_up.set()
            asks_cost.hurry()

        on_hurry(hurry)
        bucket = _Bucket(found, options, ledger, clock)
        finish = finishing.Finish(
            closed,
            ledger,
            options.output_dir,
            clock,
            asks_cost=asks_cost,
            record=found.record,
        )
        finish.closed_run = MadeUp(run.run_name, path, options, finish)
        try:
            finish.isolated(lambda: finish.recall(run))
            if {"keep_checkpoint", "keep_last_checkpoint", "upload"} & set(missing):
                bucket.open(finish)
            finish.carry_out(finishing.STEPS)
        finally:
            bucket.close()
            finish.let_go()
            ledger = finish.ledger
    finally:
        if isinstance(ledger, Ledger):
            ledger.discard()
        else:
            ledger.release()
    finish.carry_out(finishing.LAST_STEPS)
    verdict = finish.verdict()
    if not finish.problems and finish.record.exit_code is not None:
        verdict = Verdict(finish.record.exit_code, finish.record.why)
    closing_screen.show(console, finish, verdict, run.run_name, simulated=run.embedded)
    if finish.summary is None:
        say(console, verdict.line)
    return verdict


def _what(run: RunFacts, path: Path, missing: Iterable[str]) -> str:
    steps = ", ".join(missing)
    if run.finished and run.judgement_text:
        return (
            f"the run {run.run_name} is finished: nothing is left to do ({path}), but for what its"
            f" end did not come to, or what is gone since: {steps}"
        )
    return (
        f"the run {run.run_name} has no job left ({path}); its process died before it was judged,"
        f" which is made up now: {steps}"
    )


def _closed(found: Unfinished, options: Options, given_up: Event) -> finishing.ClosedRun:
    """The run as its process had it when it died."""
    run, record = found.resumption.run, found.record
    ended_at = run.ended_at
    if ended_at is None and run.sessions:  # its last sign of life
        ended_at = run.sessions[-1].ended_at
    return finishing.ClosedRun(
        options,
        found.outcomes,
        run.ended_by or ALL_CLOSED,
        is_over=not record.aborted,
        given_up=given_up,
        trouble=record.trouble,
        aborted=record.aborted,
        is_distributed=bool(run.workers),
        ended_at=run.started_at if ended_at is None else ended_at,
    )


def _open(path: Path, missing: Iterable[str], clock: Clock) -> Ledger | ClosedLedger:
    """The ledger, locked: to write to it, or where only later steps are missing as it stands."""
    if set(missing) & set(STEPS_WITH_LEDGER):
        ledger = Ledger.open(path, now=clock.now)
        with opened(path) as db:
            (last_at,) = db.execute("SELECT max(closed_at) FROM tickets").fetchone()
        if last_at is not None:  # a process that died may not have come to say so
            ledger.end_cycle(_cycles(path), last_at)
        return ledger
    return ClosedLedger(path, Lock(path))


def _cycles(path: Path) -> int:
    with opened(path) as db:
        return facts(db).cycles


def _forget_accounts(path: Path) -> None:
    """Delete the accounts of what dead processes sent: every ticket is closed."""
    send_account.sweep(path)
    send_account.forget(send_account.path_of(path))


class _Nobody:
    """In the place of a simulated Kiosk's Prometheus, which ended with the run's process."""

    def hurry(self, limit_s: float = 0.0) -> None:
        """Nobody is asked."""

    def ask(self, ended: Ended) -> RunCost:  # noqa: ARG002  nobody is asked
        """The cost, which nobody knows."""
        return RunCost("the simulated Kiosk", "it ended with the run's process, which died")


def _asks_cost(
    run: RunFacts, options: Options, secrets: Secrets, clock: Clock
) -> finishing.AsksCost:
    if run.embedded:
        return _Nobody()
    # The cluster that this process is in is not that of a simulated Kiosk.
    return Costing(options, secrets, clock, {} if run.simulated else os.environ)


@dataclass(frozen=True, slots=True)
class _Missed:
    """In the place of an archive whose bucket cannot be used."""

    reason: str
    url: str = ""
    unheard_s: float = 0.0  # nobody is asked

    def keep(self, files: Iterable[Path]) -> Archived:
        """None of them was uploaded."""
        return Archived(missed=[(path, self.reason) for path in files])

    def drop(self, file_names: Iterable[str]) -> None:
        """Nothing is deleted."""


class _Bucket:
    """The bucket of a run whose finish is made up, for its last checkpoint and its files."""

    def __init__(
        self, found: Unfinished, options: Options, ledger: Ledger | ClosedLedger, clock: Clock
    ) -> None:
        self._found = found
        self._options = options
        self._ledger = ledger
        self._clock = clock
        self._bucket: Bucket | None = None
        self._checkpoints: Checkpoints | None = None

    def open(self, finish: finishing.Finish) -> None:
        """Give the finish what it needs of the bucket; where it is away, a reason."""
        files = self._options.files
        try:
            bucket = self._bucket = open_for(self._options, ())
        except KioskLocustError as error:
            if files.upload_results:
                finish.keeps_files = _Missed(str(error))
            return
        if bucket is None:
            return
        address = Address.parse(files.storage_bucket)
        if files.upload_results:
            finish.keeps_files = Archive(
                bucket, address, public=files.public_results, holds_locks=True
            )
        if files.checkpoint_s:
            self._checkpoints = finish.checkpoints = Checkpoints(
                bucket,
                object_name(address, self._ledger.path.stem),
                self._ledger,
                Tickets(lambda *_: iter(())),
                self._clock,
                every_s=files.checkpoint_s,
                generation=self._found.resumption.generation,
                on_overtaken=lambda error: finish.problems.append(str(error)),
            )
            self._checkpoints.start()

    def close(self) -> None:
        """Take no checkpoints any more, and let the bucket go."""
        if self._checkpoints:
            self._checkpoints.stop()
        if self._bucket is not None:
            self._bucket.close()
