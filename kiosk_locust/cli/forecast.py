"""``python -m kiosk_locust simulate``: forecast of a benchmark's duration and cost."""

from __future__ import annotations

import json
import sys

from rich.text import Text

from kiosk_locust.errors import KioskLocustError
from kiosk_locust.formatting import units
from kiosk_locust.formatting.console import plain_console
from kiosk_locust.planning import arguments
from kiosk_locust.planning.output import Cell, as_json, cell, show

USAGE = "usage: python -m kiosk_locust simulate [--gpus N …] [--images N …] [--help]\n"

#: Width of a table that is not printed to a terminal, in columns.
WIDE = 200


def main(words: list[str]) -> int:
    """Simulate each plan of the grid and print the results; returns exit code 0 or 2."""
    try:
        request = arguments.read(words)
        cells = _cells(request)
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing is printed\n")
        return 2
    if request.as_json:
        sys.stdout.write(json.dumps(as_json(cells), indent=2) + "\n")
    else:
        show(plain_console(width=None if sys.stdout.isatty() else WIDE), cells)
    return 0


def _cells(request: arguments.ForecastRequest) -> list[Cell]:
    """All cells; a terminal shows which plan is being simulated."""
    cells = []
    with plain_console(stderr=True).status("") as status:
        for number, plan in enumerate(request.plans, start=1):
            line = (
                f"{number} of {len(request.plans)}: {units.count(plan.gpus, 'GPU')}, "
                f"{plan.images:,} images"
            )
            status.update(Text(line))  # status parses strings as markup
            cells.append(cell(plan, request.book))
    return cells
