"""Whether the numbers of a run count, and what became of its thresholds, on the screen."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kiosk_locust.quality.judgement import Judgement
from kiosk_locust.quality.thresholds import Result
from kiosk_locust.screen.printable import printable

_STYLES = {Result.PASS: "green", Result.MISS: "bold red", Result.NOT_MEASURABLE: "bold yellow"}


def show(console: Console, judgement: Judgement) -> None:
    """The thresholds, warnings, and VALID or INVALID with each reason, its cure and its option."""
    if judgement.thresholds:
        console.print(_thresholds(judgement, console.encoding))
    for warning in judgement.warnings:
        _say(console, f"warning: {warning}", "yellow")
    if not judgement.reasons:
        _say(console, judgement.passed, "green")
    for reason in judgement.reasons:
        _say(console, f"INVALID: {reason.why} (limit: {reason.option})", "bold red")


def _thresholds(judgement: Judgement, encoding: str) -> Table:
    table = Table(title="Thresholds", title_justify="left", box=None, pad_edge=False)
    for name in ("threshold", "measured", "result", "note"):
        table.add_column(name, overflow="fold")
    for each in judgement.thresholds:
        shown = (each.threshold, each.measured, each.verdict, each.note)
        cells = [Text(printable(text, encoding)) for text in shown]
        table.add_row(*cells, style=_STYLES[each.result])
    return table


def _say(console: Console, text: str, style: str) -> None:
    console.print(Text(printable(text, console.encoding), style), soft_wrap=True)
