"""The language of thresholds: ``job.p95 < 60s``, ``failed <= 1%``, ``throughput > 40 images/s``.

::

    threshold   = measure operator number unit | measure operator duration
    measure     = distribution "." ("p" number | "median" | "max") | single
    operator    = "<" | "<=" | ">" | ">="

Spaces are free. Distributions, singles and units stand in `verdict.threshold_units`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.parsing import duration_and_unit
from kiosk_locust.verdict.threshold_units import (
    DISTRIBUTIONS,
    DOLLARS,
    SINGLE,
    UNITS,
    QuantityKind,
    Unit,
    examples,
    units_of,
)

Operator = Literal["<", "<=", ">", ">="]

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_OPERATOR = re.compile(r"[<>]=?(?![<>=])")
_NOT_OPERATOR = re.compile(r"[=!≤≥<>~]+")
_NUMBER = re.compile(r"(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_STATISTICS = ("p50", "p90", "p95", "p99", "median", "max")


@dataclass(frozen=True, slots=True)
class Threshold:
    """One wanted bound; ``limit`` is in the own unit of its kind (s, share, jobs, 1/s, USD).

    ``measure`` is the key of the measured value: ``job.p95``, ``failed``, ``failed.jobs``,
    ``throughput.images``, ``cost.per_image``.
    """

    text: str
    source: str
    measure: str
    operator: Operator
    limit: float
    unit: Unit
    percent: float | None = None  # of a percentile, 100 for the maximum

    @property
    def kind(self) -> QuantityKind:
        """What is compared."""
        return self.unit.kind

    @property
    def distribution(self) -> str:
        """Whose percentile it is; empty for a plain value."""
        return self.measure.partition(".")[0] if self.percent is not None else ""

    @property
    def wanted(self) -> str:
        """The bound with its unit: ``< 60 s``."""
        return f"{self.operator} {self.unit.show(self.limit, 10)}"

    def holds(self, value: float) -> bool:
        """Whether a value (infinity: without bound) is as wanted."""
        if self.operator == "<":
            return value < self.limit
        if self.operator == "<=":
            return value <= self.limit
        return value > self.limit if self.operator == ">" else value >= self.limit


def parse(text: str, source: str = "--threshold") -> Threshold:
    """The threshold that ``text`` says; OptionsError, with a caret under the place, if none."""
    return _Parser(text, source).threshold()


class _Parser:
    """One text, read from left to right."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._at = 0

    def threshold(self) -> Threshold:
        name, at = self._name()
        kind, percent = self._resolve(name, at)
        operator = self._operator()
        measure, unit, limit = self._limit(name, kind)
        self._check_limit(operator, limit, unit)
        text = " ".join(self._text.split())
        return Threshold(text, self._source, measure, operator, limit, unit, percent)

    def _name(self) -> tuple[str, int]:
        found = self._match(_NAME)
        if not found:
            raise self._refusal(
                self._at, "a threshold begins with what is measured, such as job.p95"
            )
        return found.group().lower(), found.start()

    def _resolve(self, name: str, at: int) -> tuple[QuantityKind, float | None]:
        """The kind of a measure, and the percentile of a distribution."""
        if name in SINGLE:
            return SINGLE[name], None
        head, _, statistic = name.partition(".")
        if head not in DISTRIBUTIONS:
            raise self._refusal(at, _unknown(name, head, statistic))
        if not statistic:
            raise self._refusal(
                at + len(head), f"which {head}? Say a percentile, {head}.p95, or {head}.max"
            )
        return QuantityKind.DURATION, self._percent(head, statistic, at)

    def _percent(self, head: str, statistic: str, at: int) -> float:
        named = {"median": 50.0, "max": 100.0}.get(statistic)
        if named is not None:
            return named
        found = _PERCENTILE.fullmatch(statistic)
        if not found or float(found[1]) <= 0:
            nearest = _nearest(statistic, _STATISTICS)
            raise self._refusal(
                at + len(head) + 1,
                f"{statistic!r} is no statistic{nearest} Say p50, p95, p99.9, median or max",
            )
        return float(found[1])

    def _operator(self) -> Operator:
        found = self._match(_OPERATOR)
        if found:
            return cast(Operator, found.group())
        wrong = self._match(_NOT_OPERATOR)
        what = f"not {wrong.group()!r}" if wrong else "and then the limit"
        raise self._refusal(
            wrong.start() if wrong else self._at, f"here must stand <, <=, > or >=, {what}"
        )

    def _limit(self, name: str, kind: QuantityKind) -> tuple[str, Unit, float]:
        """The measure's key, the unit to show, and the limit in the kind's own unit."""
        if kind is QuantityKind.DURATION:
            try:
                limit, written = duration_and_unit(self._text[self._at :])
            except ValueError:
                pass  # what follows says where it is wrong
            else:
                return name, UNITS[written], limit
        number = self._number()
        measure, unit = self._unit(name, kind)
        return measure, unit, number * unit.factor

    def _number(self) -> float:
        found = self._match(_NUMBER)
        if not found:
            raise self._refusal(self._at, "here must stand the limit, a number of at least 0")
        return float(found.group().replace("_", ""))

    def _unit(self, name: str, kind: QuantityKind) -> tuple[str, Unit]:
        """The measure's key and the unit: what is counted is a part of the key."""
        self._skip()
        at, rest = self._at, "".join(self._text[self._at :].split())
        known = units_of(name, kind)
        if not rest and kind is QuantityKind.MONEY:
            return name, DOLLARS
        if not rest:
            raise self._refusal(at, f"the unit is missing: {examples(kind)}")
        unit = known.get(rest) or known.get(rest.lower())
        if unit is None:
            nearest = _nearest(rest, known)
            raise self._refusal(
                at, f"{rest!r} is no unit for {name}{nearest} It is written {examples(kind)}"
            )
        return (f"{name}.{unit.of}" if unit.of else name), unit

    def _check_limit(self, operator: Operator, limit: float, unit: Unit) -> None:
        at = self._text.index(operator)
        if operator == "<" and limit == 0:
            raise self._refusal(at, "nothing is less than 0, so this is always missed: write <= 0")
        if unit.kind is QuantityKind.SHARE and (limit > 1 or (operator == ">" and limit == 1)):
            raise self._refusal(
                at, "a share is at most 100%, so this says nothing or is always missed"
            )

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip()
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _refusal(self, at: int, why: str) -> OptionsError:
        """The error that says what is wrong, with a caret under the place."""
        shown = re.sub(r"\s", " ", self._text)
        at = min(at, len(shown.rstrip()))
        advice = f"{why}\n      {shown.rstrip()}\n      {' ' * at}^"
        return OptionsError([Mistake(self._source, self._text.strip(), advice)])


def _unknown(name: str, head: str, statistic: str) -> str:
    """What to say of a measure that there is none of."""
    near = difflib.get_close_matches(head, DISTRIBUTIONS, n=1, cutoff=0.6) if statistic else []
    meant = [f"{near[0]}.{statistic}"] if near else [*SINGLE, *DISTRIBUTIONS]
    known = ", ".join(sorted((*SINGLE, *(f"{word}.p95" for word in DISTRIBUTIONS))))
    return f"{name!r} is not measured{_nearest(name, meant)} Known are: {known}"


def _nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'job.p95'?``, or a full stop where no name is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else "."
