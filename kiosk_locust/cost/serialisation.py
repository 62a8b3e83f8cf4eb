"""What is known of a run's cost, as it stands in the ledger: one JSON text, all that is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kiosk_locust.cost.types import UNKNOWN, CostEstimate
from kiosk_locust.ledger.reader import RunFacts, decoding


@dataclass(frozen=True, slots=True)
class Priced:
    """One estimate: the older client's keys, and the estimate as `CostEstimate.as_json` has it."""

    legacy: Mapping[str, Any]
    estimate: Mapping[str, Any]

    @classmethod
    def of(cls, estimate: CostEstimate) -> Priced:
        """An estimate, to be stored."""
        return cls(estimate.legacy_fields(), estimate.as_json())


@dataclass(frozen=True, slots=True)
class RunCost:
    """The run's cost, and that of each cycle where there are several; or why it is not known."""

    asked: str  # who was asked: a setting and its base URL
    trouble: str = ""  # why nothing, or not all, is known
    run: Priced | None = None
    cycles: Mapping[int, Priced] = field(default_factory=dict)

    def of(self, cycle: int | None) -> Priced | None:
        """What is known of a cycle, or with None of the run."""
        return self.run if cycle is None else self.cycles.get(cycle)

    def section(self, cycle: int | None) -> dict[str, Any]:
        """What the results have under ``cost``."""
        found = self.of(cycle)
        return {
            "asked": self.asked,
            "trouble": self.trouble or None,
            "estimate": dict(found.estimate) if found else None,
        }

    def legacy(self, cycle: int | None) -> dict[str, Any]:
        """The older client's keys."""
        found = self.of(cycle)
        return dict(found.legacy if found else UNKNOWN)

    def as_text(self) -> str:
        """For the ledger."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def of_run(cls, run: RunFacts) -> RunCost | None:
        """The cost that the ledger keeps; None: not asked for, or not yet. Raises LedgerError."""
        with decoding():
            return cls.from_text(run.cost_text) if run.cost_text else None

    @classmethod
    def from_text(cls, text: str) -> RunCost:
        """What `as_text` made."""
        found = json.loads(text)
        return cls(
            asked=found["asked"],
            trouble=found["trouble"],
            run=Priced(**found["run"]) if found["run"] else None,
            cycles={int(number): Priced(**each) for number, each in found["cycles"].items()},
        )
