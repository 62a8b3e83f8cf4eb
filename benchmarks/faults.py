"""Whether runs survive faults: real processes, killed, stopped, cut off and restarted by a seed.

Each seed is a run of a master, 2 to 4 workers and a simulated Kiosk. An oracle compares what the
server received with what stands in the ledger. From the root of the repository:

    python -m benchmarks.faults                              # 300 seeds, 4 at a time
    python -m benchmarks.faults --seeds 12 --first 1000      # twelve others
    python -m benchmarks.faults --table-only                 # what faults.jsonl has so far

It appends a line of JSON a seed to --results and skips those that are there already. The files of a
seed that failed are kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.plan import KINDS, plan
from tests.faults.play import GivenUp, give_up, play

Line = dict[str, Any]
HEADS = (
    *("fault", "runs", "tickets", "lost", "silent duplicates", "ambiguous", "of these made twice"),
    *("resumes", "median run"),
)
NONE = "none that found its victim"
SUMS = ("tickets", "closed", "submissions", "lost", "silent_duplicates", "ambiguous", "twins")


def run_seed(seed: int, folder: Path) -> Line | None:
    """Play one seed in a folder of its own, which is kept if something is amiss; None: not played.

    Ctrl-C and SIGTERM end what is being played.
    """
    if give_up.is_set():
        return None
    own = folder / f"seed{seed}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    line: Line = {"seed": seed}
    try:
        outcome = play(plan(seed), own)
    except GivenUp:
        return None
    except Exception as error:  # noqa: BLE001  the other seeds go on
        return line | {"error": f"{type(error).__name__}: {error}", "kept": str(own)}
    line |= asdict(outcome.judgement)
    line |= {"struck": outcome.struck, "sessions": outcome.sessions, "wall_s": outcome.wall_s}
    if outcome.judgement.complaints:
        return line | {"kept": str(own)}
    shutil.rmtree(own)
    return line


def is_amiss(line: Line) -> bool:
    """Whether a seed showed anything that was promised not to happen."""
    return "error" in line or bool(line["complaints"])


def read(results: Path) -> dict[int, Line]:
    """The seeds that are there, the last line of each."""
    if not results.exists():
        return {}
    lines = [json.loads(text) for text in results.read_text().splitlines()]
    return {line["seed"]: line for line in lines}


def table(lines: Iterable[Line]) -> str:
    """What the seeds came to, as Markdown: a row for each kind of fault, and all."""
    whole = [line for line in lines if "error" not in line]
    by_kind = {
        kind: [line for line in whole if kind in (line["struck"] or [NONE])]
        for kind in (*KINDS, NONE)
    }
    rows = [HEADS, ("---",) * len(HEADS)]
    rows += [_row(kind, lines) for kind, lines in by_kind.items() if lines]
    rows.append(_row("**all runs**", whole))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(name: str, lines: list[Line]) -> tuple[str, ...]:
    total = {key: sum(line[key] for line in lines) for key in SUMS}
    walls = sorted(line["wall_s"] for line in lines) or [0.0]
    resumes = sum(line["sessions"] - 1 for line in lines)
    numbers = (
        *(len(lines), total["tickets"], total["lost"], total["silent_duplicates"]),
        *(total["ambiguous"], total["twins"], resumes),
    )
    return (name, *(f"{n:,}" for n in numbers), f"{walls[len(walls) // 2]:.0f} s")


def main() -> int:
    """Run the seeds that are missing, then print the table; 1 if any was amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=300, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, action="append", help="these alone, and again")
    parser.add_argument("--at-once", type=int, default=4, help="runs side by side")
    parser.add_argument("--results", type=Path, default=Path("faults.jsonl"))
    parser.add_argument("--folder", type=Path, help="where the runs live (a temporary folder)")
    parser.add_argument("--table-only", action="store_true", help="run nothing")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.gettempdir()) / "kiosk_locust_faults"
    seeds = asked.seed or range(asked.first, asked.first + asked.seeds)
    done = read(asked.results)
    missing = [] if asked.table_only else [n for n in seeds if asked.seed or n not in done]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: give_up.set())
    with ThreadPoolExecutor(asked.at_once) as pool:
        for future in as_completed([pool.submit(run_seed, seed, folder) for seed in missing]):
            if line := future.result():
                with asked.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                tell(line)
    found = list(read(asked.results).values())
    amiss = [line for line in found if is_amiss(line)]
    print(table(found))
    print(f"{len(found)} seeds, {len(amiss)} amiss")
    for line in amiss:
        tell(line)
    return bool(amiss)


def tell(line: Line) -> None:
    """One seed in words."""
    if not is_amiss(line):
        print(
            f"seed {line['seed']}: {line['tickets']} tickets, {line['submissions']} submissions,"
            f" {line['ambiguous']} ambiguous, {line['sessions']} sessions, {line['wall_s']:.0f} s:"
            f" {', '.join(line['struck'])}",
            flush=True,
        )
        return
    print(f"seed {line['seed']} IS AMISS: {line.get('error') or line['complaints']}")
    print(f"  kept: {line['kept']}; again: python -m benchmarks.faults --seed {line['seed']}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
