"""Every program here in a row, each within its time; what they print goes to a folder as well.

    python benchmarks/all.py --list                # what there is, and how long it takes
    python benchmarks/all.py                       # the side-by-side ones, about half an hour
    python benchmarks/all.py --everything          # with those of single parts, and a million jobs

Run it on a machine with nothing else to do. One that fails or takes too long is told of, and the
others go on; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIGURES = HERE.parent / "docs" / "performance"


@dataclass(frozen=True)
class Program:
    """A file here, how it is called, and what it may take at most."""

    file: str
    minutes: float
    words: tuple[str, ...] = ()
    basic: bool = False  # whether it is run without --everything
    writes: str = ""  # its lines of JSON, below docs/performance

    @property
    def name(self) -> str:
        """As it is listed."""
        return " ".join([self.file, *self.words])


PROGRAMS = (
    Program("peers.py", 15, ("--runs", "3"), basic=True, writes="peers"),
    Program("saturated.py", 15, ("--runs", "3"), basic=True, writes="saturated"),
    Program("rates.py", 25, basic=True, writes="rates"),
    Program("simulator.py", 3, basic=True),
    Program("million.py", 5, ("--jobs", "20000"), basic=True),
    Program("profile_job.py", 15),
    Program("startup.py", 5),
    Program("memory.py", 30),
    Program("master_cpu.py", 15),
    Program("finish.py", 20, ("--jobs", "1000", "--jobs", "10000", "--jobs", "100000")),
    Program("report.py", 10),
    Program("job_id_delay.py", 5),
    Program("scaling_inputs.py", 15),
    Program("page.py", 10),
    Program("page_requests.py", 5),
    Program("cost.py", 10),
    Program("million.py", 90, ("--jobs", "1000000"), writes="million"),
)


def run(program: Program, folder: Path, number: int, figures: Path) -> bool:
    """Run one; whether it ended well within its time."""
    command = [sys.executable, str(HERE / program.file), *program.words]
    if program.writes:
        lines = figures / f"{program.writes}.jsonl"
        lines.unlink(missing_ok=True)  # figures of another day or machine are not to be mixed in
        command += ["--json", str(lines)]
    output = folder / f"{number:02}-{Path(program.file).stem}.txt"
    print(f"\n## {program.name} (at most {program.minutes:g} minutes) > {output}", flush=True)
    begun = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}  # some use what tests do
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command,
            cwd=HERE.parent,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it has started ends with it
        ) as process,
    ):
        try:
            code = process.wait(program.minutes * 60)
            end = "" if code == 0 else f", ended with code {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            end = ", took too long"
    print(output.read_text("utf-8", "replace").strip())
    print(f"-- {time.monotonic() - begun:.0f} s{end}", flush=True)
    return not end


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--everything", action="store_true", help="also what takes long")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks-output"))
    parser.add_argument(
        "--figures", type=Path, default=FIGURES, help="where lines of JSON go (%(default)s)"
    )
    asked = parser.parse_args()
    failed = []
    for number, program in enumerate(PROGRAMS, 1):
        if asked.list:
            when = "" if program.basic else ", with --everything"
            print(f"{program.name}: at most {program.minutes:g} minutes{when}")
        elif not (HERE / program.file).exists():
            print(f"{program.name}: skipped, there is no such program here")
        elif program.basic or asked.everything:
            asked.folder.mkdir(parents=True, exist_ok=True)
            if not run(program, asked.folder.resolve(), number, asked.figures.resolve()):
                failed.append(program.name)
    if failed:
        print(f"\nfailed: {'; '.join(failed)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
