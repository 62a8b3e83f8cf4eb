"""Verdict and thresholds of a run on the terminal."""

from __future__ import annotations

from rich.console import Console

from kiosk_locust.formatting.console import PlainTable, say
from kiosk_locust.verdict.judgement import Judgement
from kiosk_locust.verdict.thresholds import Result

_STYLES = {Result.PASS: "green", Result.MISS: "bold red", Result.NOT_MEASURABLE: "bold yellow"}


def show(console: Console, judgement: Judgement) -> None:
    """Print thresholds, warnings, and VALID or INVALID with reasons, fixes and options."""
    if judgement.thresholds:
        console.print(_thresholds(judgement, console.encoding))
    for warning in judgement.warnings:
        say(console, f"warning: {warning}", "yellow")
    if not judgement.reasons:
        say(console, judgement.passed, "green")
    for reason in judgement.reasons:
        say(console, f"INVALID: {reason.why} (limit: {reason.option})", "bold red")


def _thresholds(judgement: Judgement, encoding: str) -> PlainTable:
    table = PlainTable(
        title="Thresholds", title_justify="left", box=None, pad_edge=False, encoding=encoding
    )
    for name in ("threshold", "measured", "result", "note"):
        table.add_column(name, overflow="fold")
    for row in judgement.thresholds:
        cells = (row.threshold, row.measured, row.verdict, row.note)
        table.add_row(*cells, style=_STYLES[row.result])
    return table
