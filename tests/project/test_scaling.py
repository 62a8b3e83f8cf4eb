"""The page on scaling: its tables are those of its inputs, and of the model."""

from __future__ import annotations

import subprocess
import sys

from kiosk_locust.formatting import units
from kiosk_locust.planning import arguments
from kiosk_locust.planning.simulation import run
from tests.helpers.real import ROOT

PAGES = ROOT / "docs" / "explanation"


def test_the_pages_tables_are_computed_from_its_inputs() -> None:
    command = [sys.executable, "-m", "benchmarks.scaling"]
    computed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    page = (PAGES / "scaling.md").read_text("utf-8")
    written = page.partition("<!-- computed: begin -->")[2].partition("<!-- computed: end -->")[0]
    assert "| **workers** |" in computed
    assert written.strip() == computed.strip()


def test_the_papers_smallest_runs_on_the_page_are_what_the_model_says() -> None:
    page = (PAGES / "paper-model.md").read_text("utf-8")
    for plan in arguments.read(["--gpus", "1", "8", "--images", "10000"]).plans:
        makespan = units.seconds(run(plan).makespan_s)
        assert f"| {plan.gpus} | 10,000 | {makespan} |" in page
