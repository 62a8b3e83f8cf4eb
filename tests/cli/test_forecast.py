from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from kiosk_locust.cli import forecast
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.planning.limits import limits
from kiosk_locust.planning.output import Cell, show
from kiosk_locust.planning.plan import ForecastPlan
from kiosk_locust.planning.pricing import bill
from kiosk_locust.planning.reference_results import published
from kiosk_locust.planning.simulation import run
from kiosk_locust.simulator.settings import ClusterSettings

GRID = ["--gpus", "1", "2", "--images", "200", "400"]


def test_a_grid_has_a_line_for_each_cell_with_units(capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast.main(GRID) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["GPUs", "images", "makespan"]
    assert [row.split()[:2] for row in rows[:4]] == [
        ["1", "200"], ["1", "400"], ["2", "200"], ["2", "400"],
    ]  # fmt: skip
    assert all("min" in row and "$" in row and "%)" in row for row in rows[:4])


def test_json_says_the_same_in_seconds_hours_and_dollars(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert forecast.main([*GRID, "--json"]) == 0
    cells = json.loads(capsys.readouterr().out)
    assert [(cell["gpus"], cell["images"]) for cell in cells] == [
        (1, 200), (1, 400), (2, 200), (2, 400),
    ]  # fmt: skip
    for cell in cells:
        assert cell["images_done"] == cell["images"]
        assert cell["images_per_hour"] == pytest.approx(cell["images"] / cell["makespan_s"] * 3600)
        parts = ("gpu_nodes_usd", "cpu_nodes_usd", "bucket_usd", "zone_traffic_usd")
        assert cell["total_usd"] == pytest.approx(sum(cell[part] for part in parts))
        assert cell["usd_per_image"] == pytest.approx(cell["total_usd"] / cell["images"])


def test_mistakes_are_told_and_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast.main(["--gpus", "none", "--zones", "0"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("2 settings cannot be used:")


def told(cell: Cell, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(console, [cell])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_what_was_published_stands_beside_with_how_far_the_model_is_off() -> None:
    small = run(ForecastPlan(200, cluster=ClusterSettings(max_nodes=8)))
    plan = replace(small.plan, images=1_000_000)
    known = published(plan)
    assert known is not None
    course = replace(small, plan=plan, makespan_s=4.4 * 3600)
    shown = told(Cell(course, bill(course, PriceBook.of()), limits(plan), known))
    assert "published about 5.50 h and about $250.00; the model says 4.40 h (-20%)" in shown


@pytest.mark.parametrize(
    "plan",
    [
        ForecastPlan(1_000_000, cluster=ClusterSettings(max_nodes=4)),
        ForecastPlan(100_000, cluster=ClusterSettings(max_nodes=8)),
        ForecastPlan(1_000_000, start_delay_s=1.0, cluster=ClusterSettings(max_nodes=8)),
        ForecastPlan(1_000_000, 10, cluster=ClusterSettings(max_nodes=8)),
    ],
)
def test_nothing_is_claimed_of_what_was_not_published(plan: ForecastPlan) -> None:
    assert published(plan) is None


def test_what_has_no_price_is_said() -> None:
    cluster = ClusterSettings(max_nodes=1, accelerator="abacus")
    course = run(ForecastPlan(200, cluster=cluster))
    shown = told(Cell(course, bill(course, PriceBook.of()), limits(course.plan), None))
    assert ">= $" in shown
    assert "at least: no price is known of abacus, spot, in us-west1" in shown


def test_where_nothing_has_a_price_no_sum_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    assert forecast.main(["--gpus", "1", "--images", "100", "--region", "nowhere"]) == 0
    row = capsys.readouterr().out.splitlines()[1]
    assert row.count("not priced") == 3  # the total, to the scale-down, an image


def test_in_a_narrow_terminal_costs_are_a_table_of_their_own_and_no_figure_is_cut() -> None:
    cluster = ClusterSettings(max_nodes=1)
    course = run(ForecastPlan(200, cluster=cluster))
    cell = Cell(course, bill(course, PriceBook.of()), limits(course.plan), None)
    wide = told(cell).splitlines()
    narrow = told(cell, width=60).splitlines()
    assert len(wide[0].split()) > len(narrow[0].split())
    assert [line.split()[:2] for line in (narrow[1], narrow[4])] == [["1", "200"]] * 2
    assert {*narrow[1].split(), *narrow[4].split()} == {*wide[1].split()}
