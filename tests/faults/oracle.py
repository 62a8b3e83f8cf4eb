"""The judge of a run: what the server received against what stands in the ledger, by plain SQL."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.plan import Plan

#: A worker may close a job while it is cut off (15 s at most). Its lease ends meanwhile (10 s), and
#: whoever adopts the job polls it until it has seen the end, too, be it after the master stood
#: still (15 s at most).
LAST_POLL_S = 45.0
_ROWS = """SELECT cycle, number, state, outcome, job_id, ambiguous, closed_at,
    (SELECT count(*) FROM attempts WHERE ticket_id = id AND result IN ('accepted', 'maybe')),
    (SELECT group_concat(job_id, ' ') FROM attempts WHERE ticket_id = id AND job_id <> '')
    FROM tickets"""
_DONE_BY_THE_KIOSK = {"done", "partial", "failed", "rejected", "vanished"}


@dataclass(frozen=True)
class Witness:
    """What the server saw: its log of submissions, and the polls of each hash."""

    predicts: list[dict[str, Any]]
    polls: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Row:
    """One ticket as the ledger has it."""

    cycle: int
    number: int
    state: str
    outcome: str | None
    job_id: str | None
    ambiguous: int
    closed_at: float | None
    sent: int  # attempts that were accepted or may have been
    accepted: str | None  # the hashes of its attempts

    @property
    def hashes(self) -> set[str]:
        """All that its record names."""
        return {*(self.accepted or "").split(), *([self.job_id] if self.job_id else [])}


@dataclass(frozen=True)
class Judgement:
    """What a run came to; ``complaints`` is empty where all that was promised held."""

    tickets: int
    closed: int
    submissions: int  # jobs that the server made
    lost: int  # tickets without a closed record, and jobs that no record admits
    silent_duplicates: int
    ambiguous: int  # tickets that are marked
    twins: int  # of these, those that the server has indeed more than one job of
    complaints: tuple[str, ...]


def judge(plan: Plan, ledger: Path, witness: Witness) -> Judgement:
    """Compare the two."""
    with closing(sqlite3.connect(ledger)) as db:
        rows = {(row[0], row[1]): Row(*row) for row in db.execute(_ROWS)}
    made: dict[tuple[int, int], list[str]] = defaultdict(list)
    for predict in witness.predicts:
        if predict["hash"]:
            made[ticket_of(predict["body"]["imageName"])].append(predict["hash"])
    wanted = {(c, n) for c in range(1, plan.cycles + 1) for n in range(plan.jobs)}
    complaints = [
        f"ticket {key} is not of the plan" for key in (rows.keys() | made.keys()) - wanted
    ]
    lost = silent = twins = 0
    for key in sorted(wanted):
        row, hashes = rows.get(key), made[key]
        if row is None or row.state != "closed":
            lost += 1
            complaints.append(f"ticket {key} has no closed record: {row}")
            continue
        hidden = [] if row.ambiguous else [h for h in hashes if h not in row.hashes]
        lost += len(hidden)
        silent += max(0, len(hashes) - 1) if not row.ambiguous else 0
        twins += len(hashes) > 1
        complaints += _about(plan, row, hashes)
    complaints += _about_polls(rows, made, witness.polls)
    return Judgement(
        tickets=len(wanted),
        closed=sum(row.state == "closed" for row in rows.values()),
        submissions=sum(map(len, made.values())),
        lost=lost,
        silent_duplicates=silent,
        ambiguous=sum(row.ambiguous for row in rows.values()),
        twins=twins,
        complaints=tuple(complaints),
    )


def _about(plan: Plan, row: Row, hashes: list[str]) -> Iterator[str]:
    """What is wrong with one closed ticket and the jobs that the server made for it."""
    key = f"ticket ({row.cycle}, {row.number})"
    if not hashes and (row.hashes or row.outcome in _DONE_BY_THE_KIOSK - {"rejected"}):
        yield f"{key} never reached the server, but its record says otherwise: {row}"
    if len(hashes) > 1 and not row.ambiguous:
        yield f"{key} has {len(hashes)} jobs in silence: {row}, {hashes}"
    if len(hashes) > row.sent:
        yield f"{key} has {len(hashes)} jobs and {row.sent} attempts: {row}"
    if (hidden := set(hashes) - row.hashes) and not row.ambiguous:
        yield f"{key} hides {hidden}: {row}"
    if invented := row.hashes - set(hashes):
        yield f"{key} names jobs that are not its own: {invented}: {row}"
    given_up = plan.on_ambiguous == "close" and row.ambiguous and row.outcome == "error"
    if row.outcome not in _DONE_BY_THE_KIOSK and not given_up:
        yield f"{key} was left as {row.outcome}: {row}"


def _about_polls(
    rows: dict[tuple[int, int], Row],
    made: dict[tuple[int, int], list[str]],
    polls: dict[str, dict[str, float]],
) -> Iterator[str]:
    known = {hash_: key for key, hashes in made.items() for hash_ in hashes}
    for hash_, seen in polls.items():
        if hash_ not in known:
            yield f"{hash_} was polled, and the server never made it"
            continue
        row = rows.get(known[hash_])
        if row and row.closed_at and seen["last_at"] > row.closed_at + LAST_POLL_S:
            late_s = seen["last_at"] - row.closed_at
            yield f"{hash_} was polled {late_s:.1f} s after its record was closed: {row}"


def about_results(plan: Plan, folder: Path) -> Iterator[str]:
    """What is wrong with the results files: they have one job for each ticket."""
    jobs = [
        (job["cycle"], job["ticket"])
        for file in folder.glob("*delay_*.json")
        for job in json.loads(file.read_text())["job_data"]
    ]
    if len(jobs) != plan.tickets or len(set(jobs)) != plan.tickets:
        yield f"the results have {len(jobs)} jobs of {len(set(jobs))} tickets, not {plan.tickets}"


def ticket_of(image_name: str) -> tuple[int, int]:
    """Cycle and number of the ticket that an image is named after."""
    cycle, number = image_name.removesuffix(".tif").split("-")
    return int(cycle), int(number)
