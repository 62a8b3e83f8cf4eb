"""What becomes of a run whatever the server does: every cell of the matrix on real sockets.

Each cell is a real run of one ticket against a server on loopback one of whose calls goes wrong:
once, for 20 s, or for ever. What came of it is compared with the table in
docs/reference/faults.md. From the root of the repository:

    python -m benchmarks.hostile                          # all 546 cells, 4 at a time
    python -m benchmarks.hostile --call poll --spell once  # some of them
    python -m benchmarks.hostile --table                  # the table, for the docs

It appends a line of JSON a cell to --results and skips those that are there already and were as
the table says.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.hostile import real, table

Line = dict[str, Any]


def run_cell(cell: table.Cell, folder: Path) -> Line:
    """Play one cell in a folder of its own, which is kept if it ends as the table does not say."""
    own = folder / "".join(c if c.isalnum() else "_" for c in cell.name)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    line: Line = {"cell": cell.name, "call": cell.call, "spell": cell.spell}
    begun = time.monotonic()
    try:
        came, struck = real.play(cell, own)
    except Exception as error:  # noqa: BLE001  the other cells go on
        return line | {"complaints": [f"{type(error).__name__}: {error}"], "kept": str(own)}
    line |= {"took_s": time.monotonic() - begun, "struck": struck, "came": asdict(came)}
    line["complaints"] = came.complaints(cell)
    if line["complaints"]:
        return line | {"kept": str(own)}
    shutil.rmtree(own)
    return line


def read(results: Path) -> dict[str, Line]:
    """The cells that are there, the last line of each."""
    if not results.exists():
        return {}
    lines = [json.loads(text) for text in results.read_text().splitlines()]
    return {line["cell"]: line for line in lines}


def summary(lines: Iterable[Line]) -> str:
    """What they came to, as Markdown: a row a call."""
    found = list(lines)
    heads = ("call", "cells played", "as the table says", "fault struck in", "longest run")
    rows = [heads, ("---",) * len(heads)]
    for call in (*table.CALLS, "all"):
        of_call = [line for line in found if call in (line["call"], "all")]
        good = sum(not line["complaints"] for line in of_call)
        struck = sum(bool(line.get("struck")) for line in of_call)
        longest_s = max((line.get("took_s", 0.0) for line in of_call), default=0.0)
        rows.append((call, str(len(of_call)), str(good), str(struck), f"{longest_s:.0f} s"))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    """Play the cells that are missing, then print what all came to; 1 if any was amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--call", action="append", choices=table.CALLS, help="these calls alone")
    parser.add_argument("--spell", action="append", choices=table.SPELLS, help="these times alone")
    parser.add_argument("--at-once", type=int, default=4, help="runs side by side")
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no cell after these")
    parser.add_argument("--results", type=Path, default=Path("hostile.jsonl"))
    parser.add_argument("--table", action="store_true", help="print the table, and run nothing")
    asked = parser.parse_args()
    if asked.table:
        print(table.markdown())
        return 0
    folder = Path(tempfile.mkdtemp(prefix="kiosk_locust_hostile_"))
    done = {name for name, line in read(asked.results).items() if not line["complaints"]}
    cells = [
        cell
        for cell in table.cells()
        if cell.call in (asked.call or table.CALLS)
        and cell.spell in (asked.spell or table.SPELLS)
        and cell.name not in done
    ]
    until = time.monotonic() + asked.minutes * 60
    with ThreadPoolExecutor(asked.at_once) as pool:

        def play(cell: table.Cell) -> Line | None:
            return run_cell(cell, folder) if time.monotonic() < until else None

        for future in as_completed([pool.submit(play, cell) for cell in cells]):
            if line := future.result():
                with asked.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                tell(line)
    found = read(asked.results).values()
    print(summary(found))
    most_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory that a run of this call took: {most_mb:.0f} MiB")
    return any(line["complaints"] for line in found)


def tell(line: Line) -> None:
    """One cell in words."""
    took = f"{line.get('took_s', 0.0):.0f} s"
    print(f"{line['cell']}: {'; '.join(line['complaints']) or 'as it should be'} ({took})")
    if "kept" in line:
        print(f"  kept: {line['kept']}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
