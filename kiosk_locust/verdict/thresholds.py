"""Thresholds: where they are written, and what a run's figures make of them."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from kiosk_locust.errors import Mistake, OptionsError, TextFileError
from kiosk_locust.filesystem.text_files import read_text
from kiosk_locust.formatting import units
from kiosk_locust.measurement.estimates import Figure, Interval
from kiosk_locust.verdict.threshold_parser import Threshold, parse
from kiosk_locust.verdict.threshold_units import QuantityKind

_KEY = "thresholds"
_TABLE = f"[tool.kiosk_locust] {_KEY}"
_NO_THRESHOLD = (
    "is no threshold; write what is measured, an operator, and the limit with its unit, such as"
    " job.p95 < 60s"
)


class Result(StrEnum):
    """What became of a threshold."""

    PASS = "pass"  # noqa: S105  a result, no password
    MISS = "miss"
    NOT_MEASURABLE = "not measurable"


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """A threshold beside what was measured, as it is shown.

    ``is_close``: the limit lies inside the confidence interval, so that another run like this
    one might end otherwise.
    """

    threshold: Threshold
    result: Result
    is_close: bool
    wanted: str  # "< 60 s"
    measured: str  # "58.21 s", "> 300 s", "-"
    note: str  # the interval, or why there is none

    @property
    def verdict(self) -> str:
        """``pass``, ``miss, too close to call``, ``not measurable``."""
        return f"{self.result.value}, too close to call" if self.is_close else self.result.value


_IS_MISSED = " is missed: measured "


@dataclass(frozen=True, slots=True)
class Miss:
    """A threshold that was missed while the run went on, and ended it; ``measured`` by then."""

    threshold: Threshold
    measured: str

    def __str__(self) -> str:
        return f"{self.threshold.text}{_IS_MISSED}{self.measured}"

    @classmethod
    def of(cls, text: str, thresholds: Iterable[Threshold]) -> Miss | None:
        """The miss whose ``str`` is ``text``; None if it is of none of ``thresholds``."""
        for threshold in thresholds:
            head = f"{threshold.text}{_IS_MISSED}"
            if text.startswith(head):
                return cls(threshold, text.removeprefix(head))
        return None


def read(
    given: Sequence[str] = (),
    file: Path | None = None,
    pyproject: Path | None = None,
    *,
    source: str = "--threshold",
) -> tuple[Threshold, ...]:
    """The thresholds of all sources together, each once; OptionsError with every mistake.

    ``source`` is what messages call the place of those ``given``. ``file`` has one a line, with
    comments after ``#``; it must exist. ``pyproject`` has a list of texts ``thresholds`` in
    ``[tool.kiosk_locust]``; it need not. To others, mistakes in files tell the line alone.
    """
    mistakes: list[Mistake] = []
    found: dict[tuple[str, str, float], Threshold] = {}
    texts = [(text, source) for text in given]
    typed = len(texts)
    for reader, path in ((_lines, file), (_items, pyproject)):
        if path is None or (reader is _items and not path.exists()):
            continue
        try:
            texts += reader(path)
        except OptionsError as error:
            mistakes += error.mistakes
    for number, (text, name) in enumerate(texts):
        try:
            threshold = parse(text, name)
        except OptionsError as error:
            public = "" if number < typed else _NO_THRESHOLD
            mistakes += [dataclasses.replace(one, told=public) for one in error.mistakes]
        else:
            found.setdefault((threshold.measure, threshold.operator, threshold.limit), threshold)
    if mistakes:
        raise OptionsError(mistakes)
    return tuple(found.values())


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        lines = read_text(path).split("\n")
    except TextFileError as error:
        raise OptionsError([Mistake(str(path), "", str(error))]) from error
    texts = [(line.partition("#")[0].strip(), number) for number, line in enumerate(lines, 1)]
    return [(text, f"{path}, line {number}") for text, number in texts if text]


def _items(path: Path) -> list[tuple[str, str]]:
    try:
        document = tomllib.loads(read_text(path, mark=False))
    except (ValueError, RecursionError) as error:
        advice = f"it cannot be read: {error}"
        raise OptionsError([Mistake(str(path), "", advice, "it cannot be read")]) from error
    tool = document.get("tool")
    table = tool.get("kiosk_locust") if isinstance(tool, dict) else None
    if isinstance(table, dict) and (unknown := sorted(set(table) - {_KEY})):
        # A slip in the name must not be a gate that is always open.
        public = f"{_KEY} = [...] is all that is read"
        advice = f"{', '.join(unknown)}: not known here; {public}"
        raise OptionsError([Mistake(f"{path} [tool.kiosk_locust]", "", advice, public)])
    items = table.get(_KEY, []) if isinstance(table, dict) else []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        advice = 'a list of texts is needed, such as ["job.p95 < 60s"]'
        raise OptionsError([Mistake(f"{path} {_TABLE}", str(items), advice, advice)])
    return [(text, f"{path} {_TABLE}, item {n}") for n, text in enumerate(items, 1)]


def evaluate(
    thresholds: Iterable[Threshold],
    figures: Mapping[str, Figure],
    ended_by: Miss | None = None,
) -> tuple[ThresholdRow, ...]:
    """A row for each threshold; ``figures`` are by ``Threshold.measure``.

    A figure that is missing or has no value is "not measurable", which is neither met nor
    missed. So is a sum of which a part is not known, unless the known part alone decides.
    ``ended_by``: the miss that ended the run stays one, whatever jobs in flight made of it.
    """
    rows = (_row(each, figures.get(each.measure)) for each in thresholds)
    return tuple(_ending(row, ended_by) if ended_by else row for row in rows)


def _ending(row: ThresholdRow, miss: Miss) -> ThresholdRow:
    """The row of the threshold that ended the run, as a miss; any other as it is."""
    if row.threshold != miss.threshold:
        return row
    note = "; ".join(filter(None, (f"it ended the run, with {miss.measured} by then", row.note)))
    return replace(row, result=Result.MISS, is_close=False, note=note)


def _row(threshold: Threshold, figure: Figure | None) -> ThresholdRow:
    if figure is None or figure.value is None or math.isnan(figure.value):
        why = figure.why if figure and figure.why else "this run did not measure it"
        result = Result.NOT_MEASURABLE
        return ThresholdRow(
            threshold, result, is_close=False, wanted=threshold.wanted, measured="-", note=why
        )
    holds = threshold.holds(math.inf if figure.is_least else figure.value)
    result = Result.PASS if holds else Result.MISS
    if figure.is_part and holds != threshold.holds(math.inf):
        result = Result.NOT_MEASURABLE
    interval = None if figure.is_least or figure.is_part else figure.interval
    least = "> " if figure.is_least else "at least " if figure.is_part else ""
    return ThresholdRow(
        threshold,
        result,
        interval is not None and threshold.holds(interval.low) != threshold.holds(interval.high),
        threshold.wanted,
        least + _shown(figure.value, threshold),
        "; ".join(filter(None, (_interval(interval, threshold), figure.why))),
    )


def _shown(value: float, threshold: Threshold) -> str:
    """In the limit's own unit, with as many digits as tell it from the limit.

    A time that is less than a hundredth of that unit, or 10,000 of them, is told in one that fits.
    """
    unit = threshold.unit
    if unit.kind is QuantityKind.DURATION and value > 0 and not 1e-2 <= value / unit.factor < 1e4:
        return units.seconds(value)
    for digits in (4, 6, 9):
        shown = unit.show(value, digits)
        if value == threshold.limit or shown != unit.show(threshold.limit, digits):
            break
    return shown


def _interval(interval: Interval | None, threshold: Threshold) -> str:
    if interval is None:
        return ""
    low, high = (threshold.unit.show(value) for value in (interval.low, interval.high))
    return f"{interval.confidence * 100:g} % interval: {low} to {high}"
