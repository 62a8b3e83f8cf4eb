"""A ledger as its readers see it: opened read-only, in one snapshot, with the run's facts."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import connections, schema
from kiosk_locust.ledger.absent import why_absent
from kiosk_locust.ledger.finish_steps import FinishRecord
from kiosk_locust.ledger.sessions import Session, sessions
from kiosk_locust.model import definitions
from kiosk_locust.model.file_remarks import Tally
from kiosk_locust.model.input_file import InputFile
from kiosk_locust.model.user_mix import Mix

#: A worker of a distributed run has a fact of its own, under a key that begins so.
WORKER_KEY = "worker:"
_SECRET = ("password", "token", "secret")
#: What a fact takes beside its text, so that many empty ones come to an end as well.
_ROW = 256


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is true of the whole run; times in epoch seconds, None where not yet known.

    Texts (``…_text``) are stored JSON, empty where not yet known: who made it decodes it, see
    `decoding`.
    """

    run_id: str
    run_name: str
    host: str
    versions: Mapping[str, str]  # of the programs that made the run
    simulated: bool  # embedded, or by address
    finished: bool  # every ticket was closed by what the Kiosk did, and the run was judged
    ended_by: str
    started_at: float | None
    time_zero: float | None
    ended_at: float | None
    options: Mapping[str, Any]  # as the run was told, secrets left out
    sessions: tuple[Session, ...]
    workers: Mapping[str, Mapping[str, float]]  # by name, in a distributed run: skew_s and bound
    cost_text: str = ""  # empty: it was not asked for, or not yet
    judgement_text: str = ""
    generator_text: str = ""
    earlier_generator_text: str = ""  # of the sessions before the one that is on
    user_classes: tuple[tuple[str, int], ...] = ()  # with their parts; () of an older ledger
    inputs: Tally | None = None  # None: nothing was said of any file
    definitions_version: int | None = None  # of what the ledger keeps; None: from before them
    embedded: bool = False  # on a simulated Kiosk that ended with the run's process
    earlier_results: tuple[str, ...] = ()  # names that files had before the run was resumed
    finish: FinishRecord | None = None  # None: not begun, or by an older version

    @property
    def cycles(self) -> int:
        """How many cycles were planned."""
        return int(self.options.get("num_cycles", 1))

    @property
    def is_downloading(self) -> bool:
        """Whether what jobs made was to be downloaded."""
        return bool((self.options.get("transfers") or {}).get("download"))

    @property
    def is_open(self) -> bool:
        """Whether jobs were due by a schedule, whatever became of the ones before."""
        return bool(self.options.get("workload", "open") == "open")


@contextlib.contextmanager
def opened(path: Path, limit_s: float | None = None) -> Iterator[sqlite3.Connection]:
    """The ledger at ``path``, read-only, as it is at this moment; LedgerError if it is none.

    What is written meanwhile is not seen, and an older ledger looks like one of today. The
    connection belongs to the thread that opened it; scratch tables go to the disk, not into memory.
    ``limit_s`` is the time that all statements may take; None: by the size of the file.
    """
    if absent := why_absent(path):
        raise LedgerError(f"the ledger {path} cannot be read: {absent}")
    db = None
    try:
        db = connections.connect(path, limit_s=limit_s)
        db.execute("PRAGMA temp_store = FILE")
        db.execute("BEGIN")
        schema.present(db, schema.version_of(path, db))
        yield db
    except (sqlite3.Error, UnicodeError) as error:
        raise LedgerError(
            f"the ledger {path} cannot be read: {connections.words(error)}"
        ) from error
    finally:
        if db is not None:
            db.close()


def scratch() -> sqlite3.Connection:
    """A connection of its own, on the disk, that ledgers can be attached to, from any thread."""
    db = sqlite3.connect("", uri=True, isolation_level=None, check_same_thread=False)
    connections.protect(db)
    db.execute("PRAGMA temp_store = FILE")
    return db


def attach(db: sqlite3.Connection, path: Path) -> None:
    """Read the ledger at ``path`` through a `scratch` connection; else as `opened`."""
    if absent := why_absent(path):
        raise LedgerError(f"the ledger {path} cannot be read: {absent}")
    connections.limit(db, path)
    db.execute("ATTACH ? AS ledger", (connections.uri(path, "ro"),))
    db.execute("BEGIN")
    schema.present(db, schema.version_of(path, db, "ledger"), "ledger")


def detach(db: sqlite3.Connection) -> None:
    """Let go of the ledger; scratch tables stay."""
    db.execute("COMMIT")
    db.execute("DETACH ledger")


def inputs(db: sqlite3.Connection) -> tuple[InputFile, ...]:
    """The files of the plan, in its order; none where it uploads nothing."""
    rows = db.execute("SELECT path, size, kind, images, array FROM inputs ORDER BY number")
    return tuple(InputFile.from_json(row) for row in rows)


def texts_of(db: sqlite3.Connection) -> dict[str, str]:
    """The run's facts as texts, by their keys; raises LedgerError where they have no end."""
    texts: dict[str, str] = {}
    length = 0
    for key, value in db.execute("SELECT key, value FROM meta"):
        texts[key] = value
        length += len(str(value)) + _ROW
        if length > connections.LONGEST_BYTES:
            raise LedgerError(
                "the facts of the run are longer than those of any run: it is damaged"
            )
    return texts


def facts(db: sqlite3.Connection) -> RunFacts:
    """The run's facts, from the ledger's ``meta``; raises LedgerError where they are odd."""
    meta = texts_of(db)
    with decoding():
        return _facts(db, meta)


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Raise LedgerError for what trips over a run's facts, or over a text among them."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LedgerError(
            f"the facts of the run cannot be read ({type(error).__name__}): its ledger is damaged,"
            " or something else wrote it"
        ) from error


def _facts(db: sqlite3.Connection, meta: Mapping[str, str]) -> RunFacts:
    options = _object(meta, "options")
    worked = sessions(db, _moment(meta.get("alive_at")))
    return RunFacts(
        run_id=part_of_a_name(meta.get("run_id", "")),
        run_name=part_of_a_name(meta.get("run_name", "")),
        host=meta.get("host", ""),
        versions=_object(meta, "versions"),
        simulated="true" in (meta.get("simulated"), meta.get("simulated_elsewhere")),
        embedded=meta.get("simulated") == "true",
        finished=meta.get("finished") == "true",
        ended_by=meta.get("ended_by", ""),
        started_at=_moment(meta.get("started_at")),
        time_zero=_moment(meta.get("time_zero")),
        ended_at=_moment(meta.get("ended_at")),
        options={
            name: value
            for name, value in options.items()
            if not any(word in name.lower() for word in _SECRET)
        },
        sessions=worked,
        workers={
            key.removeprefix(WORKER_KEY): _object(meta, key)
            for key in sorted(meta)
            if key.startswith(WORKER_KEY)
        },
        cost_text=meta.get("cost", ""),
        judgement_text=meta.get("judgement", ""),
        generator_text=meta.get("generator", ""),
        earlier_generator_text=meta.get("earlier_generator", ""),
        user_classes=Mix.from_text(meta.get("user_classes") or "[]", 0).parts,
        inputs=Tally.from_text(meta.get("input_remarks", "")),
        definitions_version=definitions.of_text(meta.get(definitions.KEY)),
        earlier_results=tuple(map(str, json.loads(meta.get("earlier_results") or "[]"))),
        finish=FinishRecord.from_meta(meta, worked[-1].number if worked else 1),
    )


def part_of_a_name(text: str) -> str:
    """Files are named so: what somebody else wrote there must not lead to another folder."""
    if text and ("\0" in text or Path(text).name != text or text == ".."):
        raise ValueError("a name leads to another folder")
    return text


def _object(meta: Mapping[str, str], key: str) -> dict[str, Any]:
    found = json.loads(meta.get(key) or "{}")
    if not isinstance(found, dict):
        raise TypeError(f"{key} is no JSON object")
    return found


def _moment(text: str | None) -> float | None:
    moment = float(text) if text else None
    if moment is not None and not math.isfinite(moment):
        raise ValueError("a time is no finite number")
    return moment
