"""Whether a run survives the loss of its disk: killed and deleted in mid-run by a seed.

Each seed is a run of a single process with a simulated Kiosk and a bucket that is a folder; once or
twice, after a number of submissions that the seed draws, the process is killed (SIGKILL) and all
that it wrote on its disk is deleted; up to 4 s later another goes on with --resume-or-start. An
oracle compares what the server made with the last ledger. From the root of the repository:

    python -m benchmarks.checkpoint                     # 20 seeds: about 5 minutes
    python -m benchmarks.checkpoint --seeds 5 --first 100
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.lostdisk import NAME, Came, Loss, play
from tests.real import simulator


def run_seed(seed: int, folder: Path) -> Came:
    """Play one seed in ``folder``."""
    bucket = folder / "bucket"
    (bucket / "uploads").mkdir(parents=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    checkpoint = bucket / "output" / NAME / "checkpoint.db.gz"
    settings = {"STORAGE_BUCKET": bucket.as_uri()}
    with simulator("--predict-s=0.6", f"--seed={seed}") as kiosk:
        return play(kiosk, folder, Loss.of(seed), settings, checkpoint.exists)


def main() -> int:
    """Play the seeds one after the other; 1 where the oracle complained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    given = parser.parse_args()
    print("| seed | workload | checkpoints every | disks lost | tickets | closed | jobs made |"
          " ambiguous | of these made twice | silent duplicates |")  # fmt: skip
    print("|---" * 10 + "|")
    amiss = 0
    for seed in range(given.first, given.first + given.seeds):
        loss = Loss.of(seed)
        with tempfile.TemporaryDirectory() as folder:
            came = run_seed(seed, Path(folder))
        found = came.judgement
        cells = (
            *(seed, "closed" if loss.closed else "open", f"{loss.every_s:g} s"),
            *(len(loss.kill_after), found.tickets, found.closed, found.submissions),
            *(found.ambiguous, found.twins, found.silent_duplicates),
        )
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        for complaint in found.complaints:
            sys.stderr.write(f"seed {seed}: {complaint}\n")
        amiss += bool(found.complaints)
    return 1 if amiss else 0


if __name__ == "__main__":
    raise SystemExit(main())
