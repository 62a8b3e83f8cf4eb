"""Whether a run survives the loss of its disk: killed and deleted in mid-run by a seed.

Each seed is a run of a single process with a simulated Kiosk and a bucket that is a folder; once or
twice, after a number of submissions that the seed draws, the process is killed (SIGKILL) and all
that it wrote on its disk is deleted; up to 4 s later another goes on with --resume-or-start. With
--workers it is a master and so many workers, all of which are killed; with --keep-disk the disk
stays, so that the next process has a ledger that is newer than the checkpoint. With --alive nothing
is killed: the next process starts while the one before submits, which in an open workload doubles
tickets in silence until that one has noticed. An oracle compares what the server made with the last
ledger. From the root of the repository:

    python -m benchmarks.checkpoint                     # 20 seeds: about 5 minutes
    python -m benchmarks.checkpoint --workers 2 --seeds 5
    python -m benchmarks.checkpoint --seeds 5 --first 100
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.helpers.lostdisk import NAME, Came, Loss, play
from tests.helpers.real import simulator


def run_seed(seed: int, folder: Path, loss: Loss) -> Came:
    """Play what a seed drew in ``folder``."""
    bucket = folder / "bucket"
    (bucket / "uploads").mkdir(parents=True)
    (bucket / "uploads" / "image.png").write_bytes(b"image")
    checkpoint = bucket / "output" / NAME / "checkpoint.db.gz"
    settings = {"STORAGE_BUCKET": bucket.as_uri()}
    with simulator("--predict-s=0.6", f"--seed={seed}") as kiosk:
        return play(kiosk, folder, loss, settings, checkpoint.exists)


def main() -> int:
    """Play the seeds one after the other; 1 where the oracle complained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--workers", type=int, default=0, help="of a master; 0: a single process")
    parser.add_argument("--keep-disk", action="store_true", help="lose the processes alone")
    parser.add_argument("--alive", action="store_true", help="lose nothing, and start the next")
    given = parser.parse_args()
    print("| seed | workload | checkpoints every | disks lost | tickets | closed | jobs made |"
          " ambiguous | of these made twice | silent duplicates |")  # fmt: skip
    print("|---" * 10 + "|")
    amiss = 0
    for seed in range(given.first, given.first + given.seeds):
        loss = replace(Loss.of(seed), workers=given.workers, keeps_disk=given.keep_disk)
        if given.alive:
            loss = replace(loss, is_alive=True, every_s=60.0)
        with tempfile.TemporaryDirectory() as folder:
            came = run_seed(seed, Path(folder), loss)
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
