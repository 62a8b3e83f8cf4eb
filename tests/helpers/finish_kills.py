"""Runs that are killed (SIGKILL) at each point of their finish, and resumed: what they come to.

What is compared is told by the server's log, by plain SQL and by the files, and by none of the
plugin's code.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiosk_locust.ledger.finish_steps import STEPS
from tests.helpers.real import ROOT, Finished, Locust, Simulator
from tests.helpers.servers import processes

LOCUSTFILE = ROOT / "tests" / "locustfiles" / "killed_in_finish.py"
NAME = "pod"
#: Where a process can be killed: see the locustfile.
POINTS = ("closed", *(f"{step} {when}" for step in STEPS for when in ("returned", "recorded")))
_ID = re.compile("[0-9a-f]{32}")
_TIMES = re.compile(r'\d+(\.\d+)? m?s\b|time="[0-9.]+"')
#: Of a ledger, what two runs of the same plan have in common.
_SAME_IN_EACH_RUN = """SELECT 'tickets', cycle, number, state, outcome, file FROM tickets
    UNION ALL SELECT 'sessions', count(*), max(ended_by), 0, 0, 0 FROM sessions
    UNION ALL SELECT 'finished', value, 0, 0, 0, 0 FROM meta WHERE key = 'finished'"""


@dataclass(frozen=True)
class Kind:
    """A run that ends with ``code``, and the settings that make it do so."""

    name: str
    code: int
    settings: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


KINDS = (
    Kind("exit 0", 0),
    Kind("threshold missed", 1, arguments=("--threshold", "job.p50 < 1ms")),
    # What only the process knows that died: how late its own event loop was.
    Kind("INVALID", 2, {"MAX_LOOP_DELAY": "0.000001s"}),
)


@dataclass(frozen=True)
class Came:
    """What a folder of a run holds, with ids of runs left out of names."""

    code: int
    files: Counter[str]  # by name, without the run's id
    figures: dict[str, Any]  # of the results, but for times
    rows: tuple[tuple[Any, ...], ...]  # of the ledger

    @classmethod
    def of(cls, folder: Path, code: int) -> Came:
        """Read it."""
        files = Counter(_ID.sub("ID", str(path)) for path in relative(folder))
        return cls(code, files, figures(folder), rows(folder))


def settings(folder: Path) -> dict[str, Any]:
    """A bucket that is a folder, with the file that jobs work on, and a JUnit file."""
    bucket = folder / "bucket"
    (bucket / "uploads").mkdir(parents=True, exist_ok=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    return {"STORAGE_BUCKET": bucket.as_uri(), "JUNIT_XML": "junit.xml"}


def start(
    kiosk: Simulator, folder: Path, kind: Kind, seed: int, *, workers: int = 0, **more: Any
) -> Finished:
    """Start the run, or go on with it, by the same command, as a pod does; wait for its end."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = ("-u", "12", "-r", "3.5", "--arrival", "poisson", "--arrival-seed", str(seed))
    run = Locust(
        folder,
        *(
            "--resume-or-start",
            NAME,
            *jobs,
            *kind.arguments,
            *(processes(workers) if workers else ()),
        ),
        host=kiosk.url,
        locustfile=LOCUSTFILE,
        start_new_session=True,
        **settings(folder),
        **kind.settings,
        **more,
    )
    finished = run.finish()
    if workers:
        with suppress(ProcessLookupError):  # of a master that was killed
            os.killpg(run.process.pid, signal.SIGKILL)
    return finished


def played(
    kiosk: Simulator, folder: Path, kind: Kind, seed: int, point: str, *, workers: int = 0
) -> tuple[Came, Finished, list[str]]:
    """Kill a run at a point and resume it; what it came to, and what was amiss on the way."""
    before = len(kiosk.submissions)
    killed = start(kiosk, folder, kind, seed, workers=workers, KILL_AT=point)
    amiss = [] if killed.code == -signal.SIGKILL else [f"it ended with {killed.code}"]
    submitted = len(kiosk.submissions) - before
    finished = start(kiosk, folder, kind, seed, workers=workers)
    if len(kiosk.submissions) - before != submitted:
        amiss.append("the resume submitted jobs")
    return Came.of(folder, finished.code), finished, amiss


def resumed_copies(
    kiosk: Simulator,
    folder: Path,
    kind: Kind,
    seed: int,
    points: Iterable[str] = POINTS,
    *,
    loses_disk: bool = False,
) -> Iterator[tuple[str, list[str], Finished]]:
    """One undisturbed run; what was amiss with each copy that was resumed, beside it.

    ``loses_disk``: of each copy only the bucket is left. A moment at which the run's end is not on
    the disk yet makes other times of session and report; these are left out.
    """
    work, copies, whole = folder / "work", folder / "copies", folder / "whole"
    undisturbed = start(kiosk, work, kind, seed, COPIES_TO=str(copies))
    assert undisturbed.code == kind.code, undisturbed.output
    work.rename(whole)
    submitted = len(kiosk.submissions)
    for point in points:
        (copies / point.replace(" ", "-")).rename(work)  # paths are as they were
        if loses_disk:
            shutil.rmtree(work / "results")
            (work / "junit.xml").unlink(missing_ok=True)
        finished = start(kiosk, work, kind, seed)
        amiss = list(
            differences(whole, work, has_ended=point not in ("closed", "record_end returned"))
        )
        if finished.code != kind.code:
            amiss.append(f"exit code {finished.code}, not {kind.code}")
        if len(kiosk.submissions) != submitted:
            amiss.append("the resume submitted jobs")
        yield point, amiss, finished
        shutil.rmtree(work)
    shutil.rmtree(folder)


def differences(whole: Path, other: Path, *, has_ended: bool) -> Iterator[str]:
    """A line for each file of a run that is not as it is where nobody killed it.

    ``has_ended``: the ledger had the moment of the run's end by then; else that is left out.
    """
    names, others = set(relative(whole)), set(relative(other))
    yield from (f"{name} is missing" for name in sorted(names - others))
    yield from (f"{name} should not be there" for name in sorted(others - names))
    for name in sorted(names & others):
        one, two = (content(folder / name, has_ended=has_ended) for folder in (whole, other))
        if one != two:
            yield f"{name} is another one: {_where(one, two)}"


def relative(folder: Path) -> list[Path]:
    """The files of a run, hidden ones too, without what the tests keep beside them."""
    found = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in found if path.name not in ("output.txt", "benchmark.log")]


def content(path: Path, *, has_ended: bool) -> Any:
    """What a file says: a ledger's rows, a text; without what a resume may change."""
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        data = gzip.decompress(data)
    if ".db" in path.name:
        return _dump(data, path, has_ended=has_ended)
    if path.suffix == ".json":
        found = json.loads(data)
        return found if has_ended else _timeless(found)
    text = data.decode()
    if not has_ended:  # charts and makespan know the moment of the end
        return path.suffix == ".html" or _TIMES.sub("", text)
    return text


def _dump(data: bytes, path: Path, *, has_ended: bool) -> Any:
    """A ledger's rows but for signs of life, and of a checkpoint what it had not come to."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(data)
        moments = {"alive_at", "ended_at", "page", "checkpoint", "generator", "judgement"}
        meta = dict(db.execute("SELECT key, value FROM meta").fetchall())
        own = {key: value for key, value in meta.items() if key not in moments}
        if path.name == "checkpoint.db.gz":  # one that is taken again knows more
            own = {key: own[key] for key in own.keys() - {"finish", "finish_after"}}
        if not has_ended:
            own = {key: _TIMES.sub("", value) for key, value in own.items()}
        tables = ["tickets", "attempts", "changes", "inputs", "requests", "notes"]
        if has_ended:
            tables += ["cycles", "sessions"]
        return own, [
            db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables
        ]


def figures(folder: Path) -> dict[str, Any]:
    """What two runs of one plan have in common in their results."""
    (path,) = (folder / "results").glob("*delay_*.json")
    found = json.loads(path.read_text())
    summary, verdict = found["summary"], found["verdict"]
    return {
        "num_jobs": found["num_jobs"],
        "finished": found["finished"],
        "ended_by": found["ended_by"],
        "sessions": len(found["sessions"]),
        "gaps": found["gaps"],
        "outcomes": dict(Counter(job["outcome"] for job in found["job_data"])),
        "images_done": summary["images_done"],
        "rate_wanted_per_s": round(summary["rate_wanted_per_s"], 3),
        "verdict": verdict["verdict"],
        "reasons": [reason["rule"] for reason in verdict["reasons"]],
        "thresholds": [(each["threshold"], each["result"]) for each in verdict["thresholds"]],
        "processes": sorted(_ID.sub("ID", name) for name in found["generator"]["processes"]),
    }


def rows(folder: Path) -> tuple[tuple[Any, ...], ...]:
    """The same of the ledger."""
    path = (folder / "results" / f"{NAME}.db").absolute()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return tuple(db.execute(_SAME_IN_EACH_RUN).fetchall())


def _timeless(found: dict[str, Any]) -> Any:
    """Results without the moment of the run's end, and what is counted until then."""
    sessions = [each | {"ended_at": None} for each in found["sessions"]]
    cycles = [each | {"ended_at": None} for each in found["cycles"]]
    unlike = {"ended_at": None, "sessions": sessions, "cycles": cycles, "generator": None}
    return found | unlike | {"verdict": found["verdict"] | {"reasons": None}}


def _where(one: Any, two: Any, place: str = "") -> str:
    """The first place where two values differ."""
    if isinstance(one, dict) and isinstance(two, dict):
        for key in sorted(one.keys() | two.keys()):
            if one.get(key) != two.get(key):
                return _where(one.get(key), two.get(key), f"{place}.{key}")
    if isinstance(one, (list, tuple)) and isinstance(two, (list, tuple)) and len(one) == len(two):
        for number, (a, b) in enumerate(zip(one, two, strict=True)):
            if a != b:
                return _where(a, b, f"{place}[{number}]")
    if isinstance(one, str) and isinstance(two, str):
        pairs = zip(one, two, strict=False)
        at = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))
        one, two = one[max(0, at - 40) : at + 60], two[max(0, at - 40) : at + 60]
    return f"{place}: {one!r:.200} and {two!r:.200}"
