"""Runs that are killed (SIGKILL) after each step of their finish, and resumed by the same command.

Each kill is a run of its own against a simulated Kiosk, with a bucket, a checkpoint and a JUnit
file. What the resume comes to is compared with a run of the same plan that nobody killed: exit
code, names of all files, figures but for times, sessions, and what the server received. With the
first seed, the files of one undisturbed run are copied before and after each step is recorded, as a
kill there would leave them, and each copy is resumed: then every file has to say the same, to the
letter. From the root of the repository:

    python -m benchmarks.finish_kills                      # 3 kinds, 3 seeds, all steps
    python -m benchmarks.finish_kills --workers 2 --seeds 1 --kinds 'exit 0'
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kiosk_locust.ledger.finish_steps import STEPS
from tests.helpers.finish_kills import KINDS, Came, Kind, played, resumed_copies, start
from tests.helpers.real import simulator

HEADS = ("killed after", "kills", "exit codes", "amiss", "copies resumed", "of these amiss")


@dataclass
class Row:
    """What became of the kills after one step."""

    codes: Counter[int] = field(default_factory=Counter)
    amiss: list[str] = field(default_factory=list)
    copies: int = 0
    copies_amiss: list[str] = field(default_factory=list)


def moment(number: int, seed: int) -> str:
    """Before the ledger says that the step is complete, or after it: both in turn."""
    return "returned" if (number + seed) % 2 else "recorded"


def kill(kind: Kind, seed: int, workers: int) -> dict[str, Row]:
    """Kill runs of one kind and seed at every step, one after the other."""
    found: dict[str, Row] = {}
    with simulator() as kiosk, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = start(kiosk, folder / "whole", kind, seed, workers=workers)
        wanted = Came.of(folder / "whole", whole.code)
        for number, step in enumerate(("closed", *STEPS)):
            point = step if step == "closed" else f"{step} {moment(number, seed)}"
            row = found.setdefault(step, Row())
            came, _, amiss = played(kiosk, folder / step, kind, seed, point, workers=workers)
            row.codes[came.code] += 1
            if came.code != kind.code:
                amiss.append(f"exit code {came.code}")
            for what in ("files", "figures", "rows"):
                if (one := getattr(wanted, what)) != (two := getattr(came, what)):
                    amiss.append(f"{what}: {one} and {two}")
            row.amiss += [f"{kind.name}, seed {seed}, {point}: {text}" for text in amiss]
            print(
                f"{kind.name}, seed {seed}, {point}: {amiss or 'ok'}", file=sys.stderr, flush=True
            )
    return found


def copy(kind: Kind, seed: int) -> dict[str, Row]:
    """Resume copies of one run's files, from each point of its finish."""
    found: dict[str, Row] = {}
    with simulator() as kiosk, tempfile.TemporaryDirectory() as name:
        for point, amiss, _ in resumed_copies(kiosk, Path(name) / "copied", kind, seed):
            row = found.setdefault(point.partition(" ")[0], Row())
            row.copies += 1
            row.copies_amiss += [f"{kind.name}, {point}: {text}" for text in amiss]
            print(f"{kind.name}, copy, {point}: {amiss or 'ok'}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print the table, and below it whatever was amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", nargs="*", default=[kind.name for kind in KINDS])
    parser.add_argument("--workers", type=int, default=0, help="workers of each run; 0: none")
    parser.add_argument("--at-once", type=int, default=2, help="runs at the same time")
    asked = parser.parse_args()
    kinds = [kind for kind in KINDS if kind.name in asked.kinds]
    table = {step: Row() for step in ("closed", *STEPS)}
    with ThreadPoolExecutor(asked.at_once) as pool:
        parts = [
            pool.submit(kill, kind, seed, asked.workers)
            for seed in range(1, asked.seeds + 1)
            for kind in kinds
        ]
        if not asked.workers:
            parts += [pool.submit(copy, kind, 1) for kind in kinds]
        for part in parts:
            for step, row in part.result().items():
                table[step].codes += row.codes
                table[step].amiss += row.amiss
                table[step].copies += row.copies
                table[step].copies_amiss += row.copies_amiss
    print("| " + " | ".join(HEADS) + " |")
    print("|" + "---|" * len(HEADS))
    for step, row in table.items():
        codes = ", ".join(f"{number} x {code}" for code, number in sorted(row.codes.items()))
        first = "the last ticket was closed" if step == "closed" else f"`{step}`"
        cells = (first, row.codes.total(), codes, len(row.amiss), row.copies, len(row.copies_amiss))
        print("| " + " | ".join(map(str, cells)) + " |")
    for row in table.values():
        for text in (*row.amiss, *row.copies_amiss):
            print(text)


if __name__ == "__main__":
    main()
