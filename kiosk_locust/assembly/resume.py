"""Which ledger a run goes on with, whether it can, and what its settings then are."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.assembly import restore
from kiosk_locust.config import parsers, planned
from kiosk_locust.config.resolve import Resolved
from kiosk_locust.config.sources import Layer, Layers, SettingText
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.table.setting import Resume
from kiosk_locust.errors import LedgerError, Mistake, OptionsError
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.ledger import file as opening
from kiosk_locust.ledger import queries
from kiosk_locust.ledger.finish_steps import FinishRecord
from kiosk_locust.ledger.reader import RunFacts, facts, inputs, opened
from kiosk_locust.ledger.resume_state import inputs_left
from kiosk_locust.ledger.validate import foreign, look_over
from kiosk_locust.measurement import transfer_stats
from kiosk_locust.model import file_names
from kiosk_locust.model.options import Options, options_as_json
from kiosk_locust.model.record import Outcome
from kiosk_locust.storage.inputs.recheck import PlannedFiles
from kiosk_locust.verdict import stored_facts

LATEST = "latest"
#: Options that are of a process, not of the run.
_OF_THE_PROCESS = frozenset(
    place.partition(".")[0]
    for setting in SETTINGS.values()
    if setting.resume is Resume.PROCESS
    for place in setting.fields
)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run that can go on: its ledger, and what stood in it."""

    path: Path
    run: RunFacts
    planned: PlannedFiles  # the files of its plan, where it uploads some
    generation: int = 0  # of its checkpoint in the bucket; 0: there is none

    @property
    def place(self) -> str:
        """What messages call it."""
        return place_of(self.path)

    def under(self, given: Layers) -> Layers:
        """Put the settings given, but those that only a ledger can say, above the ledger's.

        Raises OptionsError for a path that the ledger alone names, and that is somewhere else.
        """
        with foreign(self.path):
            lowest = planned.layer(self.run.options, self.place, output_dir=str(self.path.parent))
        if strange := list(planned.strange_paths(lowest, given, self.path.parent)):
            raise OptionsError(strange)
        return given.without(*planned.NOT_READ_AGAIN, "run_name").over(lowest)

    def options(self, resolved: Resolved, given: Layers, class_host: str | None) -> Options:
        """The options of this session: the ledger's plan, and the rest as it was resolved.

        Raises OptionsError for what was given and makes another plan, and where files of this
        machine would go to a Kiosk, both of which the ledger alone names.
        """
        if class_host and not (given.get("host") or given.get("api_host")):
            host = SettingText(class_host, "host", "the user class")
            given = given.over(Layer(host.place, {"host": host}))
            resolved_host = parsers.host(class_host)
        else:
            resolved_host = resolved.options.host or ""
        before = self.run.options
        now = options_as_json(resolved.options) | {"host": resolved_host}
        with foreign(self.path):
            mistakes = list(planned.contradictions(before, now, given, self.run.host, self.place))
        if resolved.options.transfers.upload and self.planned.left:
            mistakes += planned.strange_target(
                resolved_host, resolved.options.file, given, self.place
            )
        if mistakes:
            raise OptionsError(mistakes)
        plan = {field: before[field] for field in planned.plan_fields() if field in before}
        plan["host"] = now["host"] or None  # as it was given: the ledger's was compared with it
        if resolved.options.transfers.upload:
            plan["file"] = resolved.options.file
        plan["ramp"] = resolved.options.ramp
        return dataclasses.replace(
            resolved.options,
            **plan,
            arrival_offsets_s=tuple(before["arrival_offsets_s"]),
            run_name=self.run.run_name,
        )

    def left_bucket(self, options: Options) -> str:
        """A line on the ledger's bucket where this session has none; else empty."""
        before = (self.run.options.get("files") or {}).get("storage_bucket")
        if not before or options.files.storage_bucket:
            return ""
        return (
            f"nothing goes to {excerpt(str(before))}, which {self.place} names and nobody else: set"
            " STORAGE_BUCKET to it if it is the right one"
        )

    def changed(self, options: Options) -> dict[str, tuple[Any, Any]]:
        """The options that were others before: what they were, and what they are."""
        before, now = map(_settings, (self.run.options, options_as_json(options)))
        return {
            name: (before.get(name), value)
            for name, value in now.items()
            if name not in _OF_THE_PROCESS and before.get(name) != value
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that needs no going on with; its jobs by outcome."""

    path: Path
    run: RunFacts
    outcomes: Counter[Outcome]
    results_missing: int  # that could not be downloaded


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options without what follows from who named the Kiosk's host."""
    transfers = options.get("transfers") or {}
    return {**options, "transfers": {k: v for k, v in transfers.items() if k != "any_bucket"}}


def place_of(path: Path) -> str:
    """The name in messages of a ledger that settings come from."""
    return f"the ledger {path}"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that has no job left, and whose finish is not complete; its jobs by outcome.

    ``record`` has the steps that are complete, without those whose files are gone.
    """

    resumption: Resumption
    outcomes: Counter[Outcome]
    record: FinishRecord


def is_asked_for(given: Layers) -> bool:
    """Whether a run is to be resumed, be it there or not."""
    return bool(given.get("resume") or given.get("resume_or_start"))


def find(given: Layers) -> Resumption | Unfinished | Finished | None:
    """What --resume or --resume-or-start name; None where neither does, or nothing is there yet.

    Finished only for --resume-or-start; Unfinished of a run that was ended by a missed threshold
    likewise, since --resume goes on with it. Raises OptionsError for settings that contradict each
    other, and LedgerError where the run cannot be resumed.
    """
    resume, or_start = given.get("resume"), given.get("resume_or_start")
    named = resume or or_start
    if named is None or not _is_readable(resume, or_start):
        return None  # the options tell of the mistake, with all others
    folder = _output_dir(given)
    path = _path(named, folder)
    run_name = given.get("run_name")
    if run_name and run_name.text.strip() not in (named.text.strip(), path.stem):
        advice = f"contradicts {named.shown}: a run that is resumed keeps its name; leave it out"
        raise OptionsError([Mistake(run_name.source, run_name.text, advice)])
    generation = restore.fetch_newest(given, path)
    if not path.exists() or opening.is_blank(path):
        if or_start:
            return None
        raise LedgerError(f"{named.shown}: there is no ledger {path}{_others(folder)}")
    return _judge(path, given, is_or_start=resume is None, generation=generation)


def new_name(given: Layers) -> Layers:
    """For --resume-or-start with nothing to resume: the run gets the name."""
    named = given.get("resume_or_start")
    if named is None:
        return given
    path = _output_dir(given) / f"{named.text.strip()}.db"
    if path.exists() and opening.is_blank(path):  # a run that was ended before its first word
        opening.remove(path)
    return given.over(Layer(named.place, {"run_name": named}))


def for_new_runs(given: Layers, resumed: Resumption | None) -> Layers:
    """The layers of later runs in the same web UI: the plan of the first one, but new runs."""
    if is_asked_for(given):
        given = given.without("resume", "resume_or_start", "run_name")
    if resumed is None:
        return given
    return given.over(planned.layer(resumed.run.options, resumed.place))


def _judge(
    path: Path, given: Layers, *, is_or_start: bool, generation: int = 0
) -> Resumption | Unfinished | Finished:
    """Look a ledger over without changing it."""
    lock, connection = opening.reopen(path)  # its file is looked over, a torn end is mended
    opening.leave(connection)
    lock.release()
    look_over(path, stored_facts.check)
    with opened(path) as db:
        run = facts(db)
        tickets = queries.tickets_by_outcome(db)
        with foreign(path):
            files = inputs(db)
            uploads = PlannedFiles(place_of(path), files, inputs_left(db, len(files), run.options))
        results = transfer_stats.count(db, {"cycle": None}, is_downloading=run.is_downloading)
    outcomes = Counter({Outcome(outcome): number for outcome, number in tickets.items() if outcome})
    has_open = any(not outcome for outcome in tickets)
    resumption = Resumption(path, run, uploads, generation)
    if run.finished and not is_or_start and _is_complete(run, run.finish):
        raise LedgerError(
            f"the run in {path} is finished: nothing is left to resume; start a new one, or say"
            f" --resume-or-start {run.run_name} to be told its exit code"
        )
    with foreign(path):
        is_over = run.finished or (not has_open and _is_over(run, outcomes, is_or_start))
    if is_over:
        record = _record(run, given, path)
        if record is None or (run.finished and _is_complete(run, record)):
            return Finished(path, run, outcomes, results.results_missing)
        return Unfinished(resumption, outcomes, record)
    if run.embedded:
        raise LedgerError(
            f"the run in {path} cannot be resumed: it ran on an embedded simulated Kiosk, which"
            " ended with its process; start a new run (python -m kiosk_locust.simulator runs one"
            " that stays)"
        )
    return resumption


def _is_over(run: RunFacts, outcomes: Counter[Outcome], is_or_start: bool) -> bool:  # noqa: FBT001
    """Tell if a run without an open ticket has no job left, though it was not judged.

    One that a missed threshold ended has not, once its process has come to its own end.
    """
    if run.finish is not None and run.finish.aborted:
        return is_or_start and "tell_listeners" not in run.finish.steps
    if not outcomes or not all(outcome.is_the_kiosks for outcome in outcomes):
        return False
    planned_jobs = int(run.options.get("count", 0)) * run.cycles
    return outcomes.total() == planned_jobs or (run.finish is not None and run.finish.is_over)


def _is_complete(run: RunFacts, record: FinishRecord | None) -> bool:
    """Tell if nothing of its finish is missing; older versions kept a judgement alone."""
    return bool(run.judgement_text) if record is None else not record.missing


def _record(run: RunFacts, given: Layers, path: Path) -> FinishRecord | None:
    """The state of a run's finish; None for a run that an older version has finished."""
    if run.finish is None:
        if run.finished and run.judgement_text:
            return None
        return FinishRecord(run.sessions[-1].number if run.sessions else 1, is_over=True)
    record = run.finish.without_lost(path.parent)
    if not run.judgement_text:  # whatever it says
        record = dataclasses.replace(record, steps=record.steps - {"judge", "decide"})
    junit_xml = given.text("junit_xml")
    if junit_xml and not parsers.path(junit_xml).is_file():
        record = dataclasses.replace(record, steps=record.steps - {"write_junit"})
    return record


def _output_dir(given: Layers) -> Path:
    return parsers.path(given.text("output_dir") or SETTINGS["output_dir"].default)


def _is_readable(resume: SettingText | None, or_start: SettingText | None) -> bool:
    try:
        if resume:
            parsers.ledger(resume.text)
        if or_start:
            parsers.run_name(or_start.text)
    except ValueError:
        return False
    return not (resume and or_start)


def _path(named: SettingText, folder: Path) -> Path:
    text = named.text.strip()
    if text == LATEST:
        found = next(iter(_ledgers(folder)), None)
        if found is None:
            raise LedgerError(f"{named.shown}: there is no ledger in {folder} (OUTPUT_DIR)")
        return found
    if "/" in text or text.endswith(".db"):
        return parsers.path(text)
    return _path_of_name(text, folder)


def _path_of_name(name: str, folder: Path) -> Path:
    path = folder / f"{name}.db"
    simulated = folder / f"{file_names.SIMULATED}{name}.db"
    return simulated if simulated.exists() and not path.exists() else path


def _ledgers(folder: Path) -> list[Path]:
    """All in the folder, the one written last first."""

    def written_at(path: Path) -> float:
        files = (path, path.with_name(path.name + "-wal"))
        return max(file.stat().st_mtime for file in files if file.exists())

    return sorted(folder.glob("*.db"), key=written_at, reverse=True)


def _others(folder: Path) -> str:
    found = [path.stem for path in _ledgers(folder)[:_SHOWN]]
    return f"; the last ones in {folder} are {', '.join(found)}" if found else ""
