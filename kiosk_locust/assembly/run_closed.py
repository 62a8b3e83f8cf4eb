"""The value that listeners of ``run_closed`` get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.model.record import Outcome
from kiosk_locust.verdict.judgement import Judgement


@dataclass(frozen=True, slots=True)
class RunClosed:
    """A run whose tickets are all closed, and whose files are written."""

    name: str
    path: Path  # of its ledger
    options: Mapping[str, Any]  # as `configuration` of the results has them
    outcomes: Mapping[Outcome, int]  # tickets by outcome, without those that never began
    files: tuple[Path, ...]  # those that are written: ledger, results, report, JUnit XML
    judgement: Judgement | None  # `verdict`, `reasons` and `thresholds`; None: it failed
    exit_code: int  # of the run: 0, 1 or 2
    why: str  # the reason of the exit code
