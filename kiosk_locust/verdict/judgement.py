"""What became of a run's thresholds, and whether its numbers count, as the ledger keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kiosk_locust.formatting import units
from kiosk_locust.ledger.reader import RunFacts, decoding
from kiosk_locust.model import definitions
from kiosk_locust.verdict.rules import RULES, Reason, Validity
from kiosk_locust.verdict.threshold_parser import Threshold, parse
from kiosk_locust.verdict.threshold_units import FAILURES
from kiosk_locust.verdict.thresholds import Result, ThresholdRow


@dataclass(frozen=True, slots=True)
class Finding:
    """One threshold beside what was measured, in words; see ``thresholds.Row``."""

    threshold: str  # "job.p95 < 60s"
    measure: str  # "job.p95"
    wanted: str
    measured: str
    result: Result
    is_close: bool
    note: str

    @property
    def verdict(self) -> str:
        """``pass``, ``miss, too close to call``, ``not measurable``."""
        return f"{self.result.value}, too close to call" if self.is_close else self.result.value

    @property
    def line(self) -> str:
        """In a sentence that says why the exit code is what it is."""
        if self.result is Result.NOT_MEASURABLE:
            return f"{self.threshold}: {self.result.value}, since {self.note or 'nobody knows it'}"
        return f"{self.threshold}: {self.result.value}, measured {self.measured}"

    @property
    def failure(self) -> str:
        """Which kind of failure it speaks of; empty: of none."""
        name = self.measure.partition(".")[0]
        return name if name in FAILURES else ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """VALID, or INVALID with reasons; thresholds with their results; warnings beside them."""

    reasons: tuple[Reason, ...] = ()
    unjudged: tuple[str, ...] = ()  # rules that had nothing to go by
    thresholds: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``VALID`` or ``INVALID``."""
        return Validity(self.reasons, self.unjudged).verdict

    @property
    def checks(self) -> int:
        """How many rules were judged."""
        return len(RULES) - len(self.unjudged)

    @property
    def passed(self) -> str:
        """``VALID: all 13 checks passed``, for a run without a reason against it."""
        if not self.checks:
            return f"{self.verdict}: nothing was checked"
        return f"{self.verdict}: all {units.count(self.checks, 'check')} passed"

    @property
    def missed(self) -> tuple[Finding, ...]:
        """The thresholds that were missed."""
        return tuple(each for each in self.thresholds if each.result is Result.MISS)

    @property
    def unmeasured(self) -> tuple[Finding, ...]:
        """The thresholds that nobody can tell of."""
        return tuple(each for each in self.thresholds if each.result is Result.NOT_MEASURABLE)

    @property
    def accepted(self) -> frozenset[str]:
        """The kinds of failures that thresholds speak of, where those are all met."""
        spoken = [each for each in self.thresholds if each.failure]
        missed = {each.failure for each in spoken if each.result is not Result.PASS}
        return frozenset(each.failure for each in spoken) - missed

    @property
    def lines(self) -> tuple[str, ...]:
        """What is wrong with the measurement, line by line; thresholds have a table."""
        return (
            *(f"INVALID: {each.why} (limit: {each.option})" for each in self.reasons),
            *self.warnings,
        )

    def as_json(self) -> dict[str, Any]:
        """As results and pages have it."""
        return {
            "verdict": self.verdict,
            "reasons": [asdict(each) for each in self.reasons],
            "unjudged": list(self.unjudged),
            "checks": self.checks,
            "thresholds": [_as_json(each) for each in self.thresholds],
            "warnings": list(self.warnings),
        }

    def as_text(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(self.as_json())

    @classmethod
    def of_run(cls, run: RunFacts) -> Judgement | None:
        """The verdict that the ledger keeps, None before there is one; by older rules it says so.

        Raises LedgerError.
        """
        if not run.judgement_text:
            return None
        with decoding():
            kept = cls.from_text(run.judgement_text)
        if run.definitions_version == definitions.VERSION:
            return kept
        return replace(kept, warnings=(definitions.OLDER, *kept.warnings))

    @classmethod
    def from_text(cls, text: str) -> Judgement:
        """What ``as_text`` made."""
        found = json.loads(text)
        return cls(
            tuple(Reason(**each) for each in found["reasons"]),
            tuple(found["unjudged"]),
            tuple(_finding(each) for each in found["thresholds"]),
            tuple(found["warnings"]),
        )


def judgement(
    validity: Validity,
    rows: Iterable[ThresholdRow],
    *,
    is_batch: bool,
    why_batch: str = "",
    findings: Sequence[str] = (),
    interrupted: str = "",
) -> Judgement:
    """The judgement of a run; a latency says little of a batch, which draws a warning.

    So does that it was ``interrupted``, a clause that says so: nothing is wrong with its jobs'
    times, but rates over its makespan have that time in them. ``findings`` are warnings, too: of
    what the Kiosk did, which makes no run invalid.
    """
    rows = tuple(rows)
    of_pauses = (f"{interrupted}: {_WITH_PAUSES}",) if interrupted else ()
    of_batch = _warnings([row.threshold for row in rows], why_batch) if is_batch else ()
    return Judgement(
        validity.reasons,
        validity.unjudged,
        tuple(_row(row) for row in rows),
        (*of_pauses, *of_batch, *findings),
    )


def rows(judged: Judgement, thresholds: Iterable[Threshold]) -> tuple[ThresholdRow, ...]:
    """The rows of a judgement again; ``thresholds`` are the run's, which know their sources."""
    sourced = {threshold.text: threshold for threshold in thresholds}
    return tuple(
        ThresholdRow(
            sourced.get(finding.threshold) or parse(finding.threshold, "the ledger"),
            finding.result,
            finding.is_close,
            finding.wanted,
            finding.measured,
            finding.note,
        )
        for finding in judged.thresholds
    )


def _row(row: ThresholdRow) -> Finding:
    return Finding(
        row.threshold.text,
        row.threshold.measure,
        row.wanted,
        row.measured,
        row.result,
        row.is_close,
        row.note,
    )


def _warnings(thresholds: Sequence[Threshold], why: str) -> tuple[str, ...]:
    latencies = [each.text for each in thresholds if each.distribution in _OF_THE_QUEUE]
    if not latencies:
        return ()
    told = f" ({why})" if why else ""
    return (
        f"this run was a batch{told}: how long its jobs took depends on COUNT, so it says little"
        f" that {', '.join(latencies)}. A batch is judged by its makespan and its plateau",
    )


_WITH_PAUSES = (
    "makespan and throughput have that time in them, and are told without it, too; the plateau"
    " does not reach over it"
)
#: Durations that grow with the number of jobs where work piles up.
_OF_THE_QUEUE = frozenset({"job", "job_since_due", "queue_wait"})


def _as_json(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "result": finding.result.value, "verdict": finding.verdict}


def _finding(values: dict[str, Any]) -> Finding:
    known = {name: value for name, value in values.items() if name != "verdict"}
    return Finding(**{**known, "result": Result(values["result"])})
