"""CSV of all jobs of a run, streamed from its ledger, safe to open in a spreadsheet.

``python -m kiosk_locust.reporting.web.jobs_csv LEDGER`` prints it: a web UI forwards the output of
a separate process, so that a running benchmark never waits for it.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.ledger.validate import check_pages, foreign
from kiosk_locust.measurement.timing_tables import gather
from kiosk_locust.reporting import job_rows

#: Lists of the results file that have no column here.
_LEFT_OUT = ("attempts", "status_changes", "stage_bounds_s", "failures")
#: A spreadsheet evaluates cells with these prefixes as formulas.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(ledger: Path, out: TextIO) -> None:
    """Write a header line and a line per job.

    Raises:
        LedgerError: The ledger cannot be read.

    """
    writer = csv.writer(out)
    for line in _lines(ledger):
        writer.writerow(line)


def _lines(ledger: Path) -> Iterator[list[Any]]:
    with opened(ledger) as db:
        run = facts(db)
        gather(db, run)
        names: list[str] = []
        for job in job_rows.jobs(db, run, None):
            if not names:
                names = [name for name in job if name not in _LEFT_OUT]
                yield names
            yield [_cell(name, job) for name in names]


def _cell(name: str, job: Mapping[str, Any]) -> Any:
    value = job[name]
    if isinstance(value, list):
        return ";".join(str(part) for part in value)
    return escape_formula(value) if isinstance(value, str) else value


def escape_formula(text: str) -> str:
    """``text``, preceded by an apostrophe if a spreadsheet would evaluate it as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) else text


def main(arguments: list[str]) -> int:
    """Print the jobs of a ledger; returns the exit code."""
    try:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # a real one
        check_pages(Path(arguments[0]))
        with foreign(Path(arguments[0])):
            write(Path(arguments[0]), sys.stdout)
    except LedgerError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenPipeError:  # the reader has gone
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
