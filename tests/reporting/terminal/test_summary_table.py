from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from kiosk_locust.cost.serialisation import Priced, RunCost
from kiosk_locust.reporting.labels import LABELS
from kiosk_locust.reporting.terminal.summary_table import SIMULATED, show
from kiosk_locust.verdict.exit_code import Verdict
from tests.helpers.ledgers import T0, Row, make, never_leased, summarise

FINE = Verdict(0, "all 2 jobs are done")


def shown(
    tmp_path: Path,
    *rows: Row,
    verdict: Verdict = FINE,
    simulated: bool = False,
    files: tuple[Path, ...] = (),
    encoding: str = "utf-8",
    workload: str = "open",
    width: int = 100,
    cost: RunCost | None = None,
    trim: Mapping[str, str] | None = None,
) -> str:
    options = {"workload": workload, "trim": trim}
    summary = summarise(make(tmp_path / "run.db", rows, options=options))
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width)
    show(console, summary, verdict, run_name="a-run", simulated=simulated, files=files, cost=cost)
    file.flush()
    assert isinstance(file.buffer, io.BytesIO)
    return file.buffer.getvalue().decode(encoding)


def submitted(at: float) -> Row:
    return Row(submitted_at=at, due_at=at, observed_after=at + 4, observed_at=at + 6)


def row_of(text: str, label: str) -> list[str]:
    rows = [re.split(r" {2,}", each.strip()) for each in text.splitlines()]
    (found,) = [row for row in rows if row[0] == label]
    return found


def test_the_last_line_is_the_verdict(tmp_path: Path) -> None:
    assert shown(tmp_path, Row()).splitlines()[-1] == "exit code 0: all 2 jobs are done"


def test_a_simulated_run_says_so_first_and_last(tmp_path: Path) -> None:
    lines = shown(tmp_path, Row(), simulated=True).splitlines()
    assert (lines[0], lines[-1]) == (SIMULATED, SIMULATED)
    assert lines[-2] == "exit code 0: all 2 jobs are done"


def test_a_real_run_does_not_speak_of_simulation(tmp_path: Path) -> None:
    assert "SIMULATED" not in shown(tmp_path, Row())


def test_outcomes_and_images_are_counted(tmp_path: Path) -> None:
    failed = Row(outcome="failed", images_done=0, images_failed=1)
    found = shown(tmp_path, Row(), Row(), failed, never_leased(3))
    assert row_of(found, "jobs") == ["jobs", "4: 2 done, 1 failed, 1 never begun"]
    assert row_of(found, "images") == ["images", "2 done, 1 failed"]


def test_every_figure_of_time_and_rate_has_its_unit(tmp_path: Path) -> None:
    found = shown(tmp_path, *(submitted(T0 + i / 4) for i in range(21)))
    assert row_of(found, "makespan")[1] == "10.0 s, first due time to last end"
    assert row_of(found, "throughput")[1] == "2.1 jobs/s, 2.1 images/s (7,560 images/h)"
    assert row_of(found, "arrivals")[1] == "wanted: 4 jobs/s, achieved: 4 jobs/s"
    assert row_of(found, "download") == [
        "download",
        "21",
        *["250 ms"] * 3,
        "-",
        "250 ms",
    ]  # too few for p99
    assert row_of(found, "queue wait") == ["queue wait", "21", *["1.50 s"] * 3, "-", "1.50 s"]


def test_jobs_that_did_not_end_are_told_beside_the_percentiles(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), Row(outcome="unfinished", duration_s=None), never_leased(1))
    assert "Percentiles over the 1 job that ended, 1 did not end" in found


def test_a_run_in_which_no_job_ran_has_no_percentiles(tmp_path: Path) -> None:
    assert "Percentiles" not in shown(tmp_path, never_leased(0))


def test_tickets_that_waited_for_a_user_are_told_with_what_helps(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(taken_at=T0 + 1))
    cure = "raise -u; or were workers away?"
    assert row_of(found, "broken promise")[1] == f"1 job waited for a free user ({cure})"


def test_a_closed_workload_has_no_arrivals_to_tell(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(due_at=None), workload="closed")
    assert "closed workload" in found
    assert "arrivals" not in found


def test_files_stand_on_a_line_each_however_long(tmp_path: Path) -> None:
    path = Path("/somewhere") / ("long" * 40) / "run.json"
    assert f"\nwritten: {path}\n" in shown(tmp_path, Row(), files=(path,))


def test_it_fits_into_80_columns(tmp_path: Path) -> None:
    long = {f"{name}_time": "8000" for name in ("total", "download", "upload", "prediction")}
    rows = (Row(duration_s=3560.0, queue_wait_s=2000.0, fields=long) for _ in range(1001))
    found = shown(tmp_path, *rows, width=80)
    assert "…" not in found
    assert max(len(each) for each in found.splitlines()) <= 80


def test_it_can_be_printed_where_only_ascii_can(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), files=(Path("bäume.json"),), encoding="ascii")
    assert r"written: b\xe4ume.json" in found


def test_every_measure_of_the_summary_has_a_label(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path / "run.db", [Row()]))
    assert set(LABELS) == set(summary.percentiles_s)


def priced(
    *,
    at_least: bool = False,
    usd: float | None = 12.5,
    longer: float = 0.0,
    network_usd: float | None = None,
    stored_bytes: float | None = None,
) -> RunCost:
    run = {
        "window": {"start_at": T0, "end_at": T0 + 60},
        "name": "run",
        "meaning": "all nodes",
        "network_usd": network_usd,
        "total_usd": usd,
        "usd_per_job": 0.025,
        "usd_per_image": 0.00025,
        "usd_per_million_images": 250.0,
        "at_least": at_least,
    }
    window = {"start_at": T0, "end_at": T0 + 60 + longer}
    whole = run | {"name": "fully loaded", "meaning": "to the scale-down", "window": window}
    estimate = {
        "at_least": at_least,
        "run": run,
        "fully_loaded": whole,
        "marginal": None,
        "work": {"stored_bytes": stored_bytes},
        "sources": ["a table (2026-07-30)"],
        "reasons": ["2 nodes have no labels: say --node-type"] if at_least else [],
        "notes": ["--node-type gpu=n1-highmem-2 matches no node"],
    }
    return RunCost("GRAFANA_HOST (http://g)", run=Priced({}, estimate))


def test_a_cost_is_told_for_the_run_and_its_images_with_the_prices_date(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), cost=priced())
    told = "$12.50, $0.0250 a job, $0.000250 an image, $250.00 for a million images"
    assert row_of(found, "cost")[1] == told
    assert row_of(found, "prices")[1] == "a table (2026-07-30)"
    assert "fully loaded" not in found


@pytest.mark.parametrize(
    ("stored", "sizes"), [(None, "assumed 1.5 MB an image"), (2e6, "the bytes that were uploaded")]
)
def test_the_part_of_a_cost_that_is_the_buckets_is_told_with_the_sizes_it_goes_by(
    stored: float | None, sizes: str, tmp_path: Path
) -> None:
    cost = priced(usd=0.0149, network_usd=0.0027, stored_bytes=stored)
    found = " ".join(shown(tmp_path, Row(), cost=cost).split())
    assert "of it $0.00270 (18%) for the bucket's requests and storage" in found
    assert sizes in found


def test_what_was_assumed_or_said_in_vain_is_told_with_the_cost(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), cost=priced())
    assert row_of(found, "cost note")[1] == "--node-type gpu=n1-highmem-2 matches no node"


def test_a_cost_that_lacks_something_says_so_at_each_figure_and_why(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), cost=priced(at_least=True))
    assert row_of(found, "cost")[1].count("at least $") == 4
    assert row_of(found, "at least")[1] == "2 nodes have no labels: say --node-type"


def test_the_scale_down_is_told_where_it_was_counted(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), cost=priced(longer=300.0))
    assert "$12.50 fully loaded: to the scale-down" in found


def test_a_cost_that_is_not_known_is_told_with_its_cause(tmp_path: Path) -> None:
    found = shown(tmp_path, Row(), cost=RunCost("PROMETHEUS_URL (http://p)", "it is away"))
    assert row_of(found, "cost")[1] == "not known: it is away"


def test_where_nobody_was_asked_nothing_is_said_of_a_cost(tmp_path: Path) -> None:
    assert "cost" not in shown(tmp_path, Row())


def test_what_warm_up_left_out_is_told_beside_the_figures_without_it(tmp_path: Path) -> None:
    rows = [submitted(T0 + i / 4) for i in range(21)]
    found = shown(tmp_path, *rows, trim={"warmup": "5 jobs", "cooldown": ""})
    assert row_of(found, "left out")[1].startswith("5 jobs of warm-up or cool-down")
    assert row_of(found, "download")[1] == "16"
    (tmp_path / "whole").mkdir()
    assert "left out" not in shown(tmp_path / "whole", *rows)


def test_a_first_job_that_took_far_longer_than_the_others_is_told_apart(tmp_path: Path) -> None:
    first = Row(due_at=T0, taken_at=T0 - 1, submitted_at=T0, duration_s=60.0, queue_wait_s=56.5)
    even = [submitted(T0 + 1 + n) for n in range(20)]
    found = row_of(shown(tmp_path, first, *even), "cold start")[1]
    assert found == "the first job took 60.0 s, 56.5 s of it in the queue; half took 5.00 s"
    (tmp_path / "warm").mkdir()
    assert "cold start" not in shown(tmp_path / "warm", *even)
