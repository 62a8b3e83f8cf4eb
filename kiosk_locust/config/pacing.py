"""START_DELAY and the spawn rate: two names of one setting, and their precedence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk_locust.config.sources import FORM, Layer, SettingText
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.validation import DEFAULT, Checker

#: Relative tolerance: 7.5 jobs a second and 0.1333 s are no contradiction.
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A delay (s) from one source, or the problem of its text."""

    entry: SettingText
    is_a_delay: bool  # set in seconds, so that it needs no explanation
    start_delay_s: float = 0.0
    problem: str = ""

    @property
    def shown(self) -> str:
        """The entry as text and, if it is not a delay, the delay that it means."""
        if self.problem or self.is_a_delay:
            return self.entry.shown
        if not self.start_delay_s:
            return f"{self.entry.shown} (all jobs at once)"
        return f"{self.entry.shown} (a job every {self.start_delay_s:.4g} s)"

    def agrees_with(self, other: _Candidate) -> bool:
        """Tell if both are valid and mean the same delay."""
        return not (self.problem or other.problem) and math.isclose(
            self.start_delay_s, other.start_delay_s, rel_tol=TOLERANCE
        )


def start_delay_s(check: Checker) -> float:
    """Seconds from the start of one job to the next; adds a notice for each overridden entry."""
    winner: _Candidate | None = None
    for layer in check.layers.layers:
        candidates = _candidates(layer)
        if winner is None and candidates:
            winner = _only_one(check, candidates)
        elif winner is not None and not winner.problem:
            for loser in candidates:
                if not winner.agrees_with(loser):
                    check.notice(f"{winner.shown} wins over {loser.entry.shown}")
    check.sources["start_delay"] = winner.entry.source if winner else DEFAULT
    if winner is None or winner.problem:
        return float(SETTINGS["start_delay"].parse(SETTINGS["start_delay"].default))
    return winner.start_delay_s


def _candidates(layer: Layer) -> list[_Candidate]:
    """Candidates of a layer; in the form, a ticked box precedes the rate."""
    by_name: dict[str, _Candidate] = {}
    for name in ("all_at_once", "start_delay", "spawn_rate"):
        entry = layer.get(name)
        if entry is None:
            continue
        try:
            delay_s: float | None = SETTINGS[name].parse(entry.text)
        except ValueError as error:
            by_name[name] = _Candidate(entry, is_a_delay=False, problem=str(error))
        else:
            if delay_s is not None:  # a box that is not ticked sets nothing
                by_name[name] = _Candidate(entry, name == "start_delay", delay_s)
    if layer.place == FORM and "all_at_once" in by_name:
        return [by_name["all_at_once"]]
    return list(by_name.values())


def _only_one(check: Checker, candidates: list[_Candidate]) -> _Candidate:
    """The effective one of a source's candidates; notes a mistake if they disagree."""
    first = candidates[0]
    for candidate in candidates:
        if candidate.problem:
            check.refuse(candidate.entry, candidate.problem)
        elif not (first.problem or first.agrees_with(candidate)):
            check.refuse(
                candidate.entry,
                f"contradicts {first.shown}: both say how fast jobs begin; give only one of them",
            )
    return first
