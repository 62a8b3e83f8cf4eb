"""Checks the facts that a ledger keeps as JSON, each by the package that decodes it."""

from __future__ import annotations

from kiosk_locust.cost.serialisation import RunCost
from kiosk_locust.ledger.reader import RunFacts
from kiosk_locust.measurement.process_figures import Generator
from kiosk_locust.verdict.judgement import Judgement


def check(run: RunFacts) -> None:
    """Raise LedgerError where a run's cost, verdict or processes cannot be decoded."""
    RunCost.of_run(run)
    Judgement.of_run(run)
    Generator.stored(run.generator_text)
    Generator.stored(run.earlier_generator_text)
