"""How many workers, and which master, for so many jobs in flight: computed from measured costs.

Reads the inputs, a table, from ``docs/explanation/scaling.md`` and prints the tables of that page;
with ``--write`` it puts them into the page, between its marks. So whoever measures anew changes the
inputs, and runs this again. From the root of the repository:

    python -m benchmarks.scaling
    python -m benchmarks.scaling --write

``python -m benchmarks.scaling_inputs`` measures some of the inputs, in small.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from kiosk_locust.planning.workers import Inputs, limits_in_flight, polls_a_job, resource_needs

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "scaling.md"
BEGIN, END = "<!-- computed: begin -->", "<!-- computed: end -->"
IN_FLIGHT = (10_000, 100_000, 1_000_000)
_ROW = re.compile(r"\| `(\w+)` \| ([\d.,]+) \|")


def read(page: str) -> Inputs:
    """The inputs in the page's table; raises SystemExit with what is missing or unknown."""
    found = {name: float(number.replace(",", "")) for name, number in _ROW.findall(page)}
    wanted = {each.name for each in fields(Inputs)}
    if set(found) != wanted:
        missing, unknown = sorted(wanted - set(found)), sorted(set(found) - wanted)
        raise SystemExit(f"the table of inputs lacks {missing}, and has {unknown} that nobody asks")
    return Inputs(**found)


def tables(inputs: Inputs) -> str:
    """The computed part of the page."""
    calmer = replace(inputs, update_interval_s=60.0, poll_backoff=0.05)
    return "\n".join([*_needs(inputs), "", *_needs(calmer), "", *_limits(inputs)])


def _needs(inputs: Inputs) -> Iterator[str]:
    yield (
        f"Jobs of {inputs.job_s:g} s, polled every {inputs.update_interval_s:g} s (POLL_BACKOFF "
        f"{inputs.poll_backoff:g}: {polls_a_job(inputs, inputs.job_s):.0f} polls a job), as many "
        f"beginning as ending; no process above {inputs.load:.0%} of a core."
    )
    yield ""
    found = [resource_needs(inputs, number) for number in IN_FLIGHT]
    yield "| jobs in flight | " + " | ".join(f"{number:,}" for number in IN_FLIGHT) + " |"
    yield "|---|" + "---|" * len(IN_FLIGHT)
    rows = {
        "jobs/s": [f"{each.jobs_s:,.0f}" for each in found],
        "polls/s, which the Kiosk must answer": [f"{each.polls_s:,.0f}" for each in found],
        "CPU of all workers, cores": [f"{each.worker_cores:,.2g}" for each in found],
        "workers for CPU": [f"{each.workers_by_cpu:,}" for each in found],
        "workers for memory": [f"{each.workers_by_memory:,}" for each in found],
        "workers for sockets": [f"{each.workers_by_sockets:,}" for each in found],
        "**workers**": [f"**{each.workers:,}**" for each in found],
        "memory of each, MB": [f"{each.worker_mb:,.0f}" for each in found],
        "master's CPU, share of a core": [f"{each.master_load:.0%}" for each in found],
        "master's memory, MB": [f"{each.master_mb:,.0f}" for each in found],
        "ledger, share of what it can take": [f"{each.ledger_load:.1%}" for each in found],
        "ledger, MB an hour": [f"{each.ledger_mb_h:,.0f}" for each in found],
        "end of the run, s for each hour of it": [f"{each.finish_h * 3600:,.0f}" for each in found],
    }
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


def _limits(inputs: Inputs) -> Iterator[str]:
    yield (
        f"What gives way, each by itself, with jobs of {inputs.job_s:g} s polled every "
        f"{inputs.update_interval_s:g} s:"
    )
    yield ""
    yield "| gives way | at jobs in flight | at jobs/s |"
    yield "|---|---|---|"
    for name, most in sorted(limits_in_flight(inputs).items(), key=lambda item: item[1]):
        yield f"| {name} | {_rounded(most)} | {_rounded(most / inputs.job_s)} |"


def _rounded(number: float) -> str:
    """Two figures: what is measured in small is not known better."""
    if not math.isfinite(number):
        return "never"
    digits = 1 - math.floor(math.log10(number)) if number > 0 else 0
    return f"{round(number, digits):,.0f}"


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--write", action="store_true", help="put the tables into docs/explanation/scaling.md"
    )
    page = PAGE.read_text("utf-8")
    computed = tables(read(page))
    if not parser.parse_args().write:
        sys.stdout.write(computed + "\n")
        return
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{PAGE.name} lacks the marks {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{computed}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
