"""START_DELAY and the spawn rate: names for one thing, and who of them wins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kiosk_locust.config.sources import FORM, Given, Layer
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.validation import DEFAULT, Checker

#: People round: 7.5 jobs a second and 0.1333 s are no contradiction.
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A delay in seconds as one source gave it, or what is wrong with it."""

    given: Given
    is_a_delay: bool  # given in seconds, so that it needs no explanation
    start_delay_s: float = 0.0
    fault: str = ""

    @property
    def shown(self) -> str:
        """What was given and, where that was no delay, the delay it means."""
        if self.fault or self.is_a_delay:
            return self.given.shown
        if not self.start_delay_s:
            return f"{self.given.shown} (all jobs at once)"
        return f"{self.given.shown} (a job every {self.start_delay_s:.4g} s)"

    def agrees_with(self, other: _Candidate) -> bool:
        """Whether both are delays, and the same one."""
        return not (self.fault or other.fault) and math.isclose(
            self.start_delay_s, other.start_delay_s, rel_tol=TOLERANCE
        )


def start_delay_s(check: Checker) -> float:
    """Seconds from the beginning of one job to the next; notes who wins over whom."""
    winner: _Candidate | None = None
    for layer in check.layers.layers:
        candidates = _candidates(layer)
        if winner is None and candidates:
            winner = _only_one(check, candidates)
        elif winner is not None and not winner.fault:
            for loser in candidates:
                if not winner.agrees_with(loser):
                    check.notice(f"{winner.shown} wins over {loser.given.shown}")
    check.sources["start_delay"] = winner.given.source if winner else DEFAULT
    if winner is None or winner.fault:
        return float(SETTINGS["start_delay"].parse(SETTINGS["start_delay"].default))
    return winner.start_delay_s


def _candidates(layer: Layer) -> list[_Candidate]:
    """What a layer says on the matter; in the form, a ticked box stands above the rate."""
    found: dict[str, _Candidate] = {}
    for name in ("all_at_once", "start_delay", "spawn_rate"):
        given = layer.get(name)
        if given is None:
            continue
        try:
            delay_s: float | None = SETTINGS[name].parse(given.text)
        except ValueError as error:
            found[name] = _Candidate(given, is_a_delay=False, fault=str(error))
        else:
            if delay_s is not None:  # a box that is not ticked says nothing
                found[name] = _Candidate(given, name == "start_delay", delay_s)
    if layer.place == FORM and "all_at_once" in found:
        return [found["all_at_once"]]
    return list(found.values())


def _only_one(check: Checker, candidates: list[_Candidate]) -> _Candidate:
    """The one that counts of those that one source gave; a mistake if they disagree."""
    first = candidates[0]
    for candidate in candidates:
        if candidate.fault:
            check.refuse(candidate.given, candidate.fault)
        elif not (first.fault or first.agrees_with(candidate)):
            check.refuse(
                candidate.given,
                f"contradicts {first.shown}: both say how fast jobs begin; give only one of them",
            )
    return first
