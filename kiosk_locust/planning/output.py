"""Output of a forecast as a table, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.formatting import units
from kiosk_locust.formatting.console import PlainTable, say
from kiosk_locust.planning.limits import Bottleneck, limits
from kiosk_locust.planning.plan import ForecastPlan, gpu_rate
from kiosk_locust.planning.pricing import Bill, bill
from kiosk_locust.planning.reference_results import Published, published, relative_error
from kiosk_locust.planning.simulation import ForecastCourse, run

NOT_MODELLED = (
    "not in it: preemptions of spot nodes, a Redis or frontend that slows down under load, "
    "TensorFlow Serving's batching, images of other sizes, and the time that uploads take"
)

_PLAN = ("GPUs", "images")
_TIME = ("makespan", "images/h", "GPU node-h", "limited by")
_COST = (
    "GPU nodes", "CPU nodes", "bucket", "zone traffic", "total", "to scale-down", "an image",
)  # fmt: skip
#: Terminal width that fits a whole row, in columns; below it, costs get their own table.
_FULL_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Cell:
    """One plan of the grid with its simulated result and cost."""

    course: ForecastCourse
    bill: Bill
    limits: tuple[Bottleneck, ...]  # the longest first
    published: Published | None

    @property
    def plan(self) -> ForecastPlan:
        """The simulated plan."""
        return self.course.plan


def cell(plan: ForecastPlan, book: PriceBook) -> Cell:
    """Simulate and price a plan.

    Raises:
        ForecastError: The plan would take more than ten years.

    """
    course = run(plan)
    return Cell(course, bill(course, book), limits(plan), published(plan))


def show(console: Console, cells: Sequence[Cell]) -> None:
    """Print the grid, the published figures and the limits of the forecast."""
    is_wide = console.width >= _FULL_WIDTH
    console.width = max(console.width, _FULL_WIDTH)  # let the terminal wrap lines, not rich figures
    for names in [(*_PLAN, *_TIME, *_COST)] if is_wide else [(*_PLAN, *_TIME), (*_PLAN, *_COST)]:
        table = PlainTable(encoding=console.encoding, box=None, pad_edge=False)
        for name in names:
            is_text = name == "limited by"
            table.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
        for cell_shown in cells:
            row = _row(cell_shown)
            table.add_row(*(row[name] for name in names))
        console.print(table)
        if not is_wide:
            console.print()
    for line in lines(cells):
        say(console, line)


def _row(grid_cell: Cell) -> dict[str, str]:
    course, cost = grid_cell.course, grid_cell.bill
    return {
        "GPUs": f"{grid_cell.plan.gpus:,}",
        "images": f"{grid_cell.plan.images:,}",
        "makespan": units.seconds(course.makespan_s),
        "images/h": f"{course.images_per_s * 3600:,.0f}",
        "GPU node-h": f"{cost.gpu_node_hours:,.2f}",
        "limited by": limited_by(grid_cell),
        "GPU nodes": units.usd(cost.run.gpu_nodes_usd),
        "CPU nodes": units.usd(cost.run.cpu_nodes_usd),
        "bucket": units.usd(cost.run.network_usd),
        "zone traffic": units.usd(cost.zone_traffic_usd),
        "total": _usd_text(cost.total_usd, cost),
        "to scale-down": _usd_text(cost.fully_loaded_usd, cost) if cost.fully_loaded else "-",
        "an image": _usd_text(cost.usd_per_image, cost),
    }


def _usd_text(usd: float | None, cost: Bill) -> str:
    if usd is None:
        return "not priced"
    return f">= {units.usd(usd)}" if cost.run.at_least else units.usd(usd)


def limited_by(grid_cell: Cell) -> str:
    """The part that would take longest alone, and its share of the makespan."""
    longest = grid_cell.limits[0]
    if not grid_cell.course.makespan_s:
        return longest.part
    return f"{longest.part} ({min(1.0, longest.seconds / grid_cell.course.makespan_s):.0%})"


def lines(cells: Sequence[Cell]) -> list[str]:
    """Notes below the table."""
    first = cells[0].plan
    notes = [
        f"in virtual time, by the simulated cluster: seed {first.cluster.seed}, "
        f"{gpu_rate(first.cluster):.3g} images/s a GPU node that is never idle, "
        f"{'ZIPs of ' + units.count(first.images_per_job, 'image') if first.zips else 'images'}"
        f" each {first.start_delay_s:g} s; costs to the last job's end, "
        "and in all once the GPU nodes are gone"
    ]
    for grid_cell in cells:
        if grid_cell.course.images_failed:
            notes.append(f"{_name(grid_cell)}: {grid_cell.course.images_failed:,} images failed")
        if grid_cell.published is not None:
            notes.append(_comparison(grid_cell, grid_cell.published))
    lacking = dict.fromkeys(line for grid_cell in cells for line in grid_cell.bill.lacking)
    notes += [f"at least: {line}" for line in lacking]
    notes += [f"prices: {source}" for source in cells[0].bill.sources]
    return [*notes, NOT_MODELLED]


def _name(grid_cell: Cell) -> str:
    return f"{units.count(grid_cell.plan.gpus, 'GPU')}, {grid_cell.plan.images:,} images"


def _comparison(grid_cell: Cell, reference: Published) -> str:
    total = grid_cell.bill.total_usd
    cost = (
        "no cost"
        if total is None
        else f"{units.usd(total)} ({relative_error(total, reference.usd):+.0%})"
    )
    took = grid_cell.course.makespan_s
    return (
        f"{_name(grid_cell)}: published about {units.seconds(reference.makespan_s)} and about "
        f"{units.usd(reference.usd)}; the model says {units.seconds(took)} "
        f"({relative_error(took, reference.makespan_s):+.0%}) and {cost}"
    )


def as_json(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One object per cell; seconds, hours and US dollars, as the names say."""
    return [_object(grid_cell) for grid_cell in cells]


def _object(grid_cell: Cell) -> dict[str, Any]:
    course, cost = grid_cell.course, grid_cell.bill
    reference = grid_cell.published
    return {
        "gpus": grid_cell.plan.gpus,
        "images": grid_cell.plan.images,
        "jobs": grid_cell.plan.jobs,
        "submitted_s": course.submitted_s,
        "makespan_s": course.makespan_s,
        "scaled_down_s": course.scaled_down_s,
        "images_done": course.images_done,
        "images_failed": course.images_failed,
        "images_per_hour": course.images_per_s * 3600,
        "gpu_busy_share": course.gpu_busy,
        "gpu_node_hours": cost.gpu_node_hours,
        "cpu_node_hours": cost.cpu_node_hours,
        "gpu_nodes_usd": cost.run.gpu_nodes_usd,
        "cpu_nodes_usd": cost.run.cpu_nodes_usd,
        "bucket_usd": cost.run.network_usd,
        "zone_traffic_usd": cost.zone_traffic_usd,
        "total_usd": cost.total_usd,
        "usd_per_image": cost.usd_per_image,
        "at_least": cost.run.at_least,
        "fully_loaded_usd": cost.fully_loaded_usd,
        "lacking": list(cost.lacking),
        "price_sources": list(cost.sources),
        "limits": [dataclasses.asdict(limit) for limit in grid_cell.limits],
        "published": None
        if reference is None
        else {"makespan_s": reference.makespan_s, "total_usd": reference.usd},
        "plan": dataclasses.asdict(grid_cell.plan),
    }
