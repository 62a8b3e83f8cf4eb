"""Judges a run by its ledger and by what its processes saw: the verdict and the thresholds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement.evidence import add_evidence
from kiosk_locust.measurement.ledger_analysis import Reckoning
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.model.options import TrustOptions
from kiosk_locust.verdict import rules
from kiosk_locust.verdict.advice import findings
from kiosk_locust.verdict.judgement import Judgement, judgement
from kiosk_locust.verdict.measurements import measured
from kiosk_locust.verdict.threshold_parser import parse_all
from kiosk_locust.verdict.thresholds import Miss, ThresholdRow, evaluate


@dataclass(frozen=True, slots=True)
class Judged:
    """The judgement that is kept in the ledger, and what became of each threshold."""

    judgement: Judgement
    rows: tuple[ThresholdRow, ...] = ()


def judge(
    reckoning: Reckoning, trust: TrustOptions, generator: Generator, aborted: str = ""
) -> Judged:
    """Judge the whole run by its ledger's reckoning.

    ``generator`` has what the processes of all sessions saw (`whole`). Of a run that was
    ``aborted`` by a missed threshold, the tickets left open are no doubt. Takes a minute for a
    million jobs, if nobody had worked out their times before: call it from a thread. Raises
    LedgerError.
    """
    thresholds = parse_all(trust.wanted)
    with reckoning:
        run, summary = reckoning.run, reckoning.summary()
        found = measured(reckoning.db, run, thresholds, times=reckoning.times, summary=summary)
        sound = add_evidence(reckoning.db, run, found.facts, summary.trimmed.jobs)
    facts = replace(generator.in_facts(sound), can_resume=not run.embedded)
    if aborted:
        facts = replace(facts, undecided=None)
    rows = evaluate(thresholds, found.figures, Miss.of(aborted, thresholds))
    validity = rules.judge(facts, trust.limits)
    made = judgement(
        validity,
        rows,
        is_batch=found.regime.kind == "batch",
        why_batch=found.regime.why,
        interrupted=summary.pauses.text,
        findings=findings(facts),
    )
    return Judged(made, rows)


def whole(run: RunFacts, generator: Generator) -> Generator:
    """Merge the figures of the last session's processes with those of earlier sessions."""
    session = run.sessions[-1].number if run.sessions else 1
    return replace(generator, session=session).after(Generator.stored(run.earlier_generator_text))
