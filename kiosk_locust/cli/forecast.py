"""``python -m kiosk_locust simulate``: what a benchmark would take and cost, in virtual time."""

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

#: A table that is not read on a terminal is not folded.
WIDE = 200


def main(words: list[str]) -> int:
    """Carry out each plan of the grid and print it; the exit code, 0 or 2."""
    try:
        asked = arguments.read(words)
        cells = _cells(asked)
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing is printed\n")
        return 2
    if asked.as_json:
        sys.stdout.write(json.dumps(as_json(cells), indent=2) + "\n")
    else:
        show(plain_console(width=None if sys.stdout.isatty() else WIDE), cells)
    return 0


def _cells(asked: arguments.ForecastRequest) -> list[Cell]:
    """Each cell, with a line on a terminal that says which one is in work."""
    found = []
    with plain_console(stderr=True).status("") as status:
        for number, plan in enumerate(asked.plans, start=1):
            line = (
                f"{number} of {len(asked.plans)}: {units.count(plan.gpus, 'GPU')}, "
                f"{plan.images:,} images"
            )
            status.update(Text(line))  # a string would be parsed, whatever the console says
            found.append(cell(plan, asked.book))
    return found
