"""A run's cost as stored in the ledger: one JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kiosk_locust.cost.types import UNKNOWN, CostEstimate
from kiosk_locust.ledger.reader import RunFacts, decoding


@dataclass(frozen=True, slots=True)
class Priced:
    """One estimate: the older client's keys, and the output of `CostEstimate.as_json`."""

    legacy: Mapping[str, Any]
    estimate: Mapping[str, Any]

    @classmethod
    def of(cls, estimate: CostEstimate) -> Priced:
        """Stored form of an estimate."""
        return cls(estimate.legacy_fields(), estimate.as_json())


@dataclass(frozen=True, slots=True)
class RunCost:
    """Cost of the run and of each of several cycles, or the reason why it is unknown."""

    server: str  # queried server: a setting and its base URL
    trouble: str = ""  # why no cost, or only part of it, is known
    run: Priced | None = None
    cycles: Mapping[int, Priced] = field(default_factory=dict)

    def of(self, cycle: int | None) -> Priced | None:
        """Cost of a cycle, or of the run (None)."""
        return self.run if cycle is None else self.cycles.get(cycle)

    def section(self, cycle: int | None) -> dict[str, Any]:
        """Value of ``cost`` in the results."""
        cost = self.of(cycle)
        return {
            "asked": self.server,
            "trouble": self.trouble or None,
            "estimate": dict(cost.estimate) if cost else None,
        }

    def legacy(self, cycle: int | None) -> dict[str, Any]:
        """The older client's keys."""
        cost = self.of(cycle)
        return dict(cost.legacy if cost else UNKNOWN)

    def as_text(self) -> str:
        """JSON text for the ledger."""
        fields = asdict(self)
        return json.dumps({"asked": fields.pop("server"), **fields}, allow_nan=False)

    @classmethod
    def of_run(cls, run: RunFacts) -> RunCost | None:
        """Cost stored in the ledger; None if it was not queried, or not yet.

        Raises:
            LedgerError: The stored text is invalid.

        """
        with decoding():
            return cls.from_text(run.cost_text) if run.cost_text else None

    @classmethod
    def from_text(cls, text: str) -> RunCost:
        """Cost from the text of `as_text`."""
        document = json.loads(text)
        return cls(
            server=document["asked"],
            trouble=document["trouble"],
            run=Priced(**document["run"]) if document["run"] else None,
            cycles={int(number): Priced(**cost) for number, cost in document["cycles"].items()},
        )
