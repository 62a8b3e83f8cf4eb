"""A forecast's cells as a table for people, and as JSON."""

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
from kiosk_locust.planning.reference_results import Published, off, published
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
#: Columns of a terminal in which all of a line has room; in fewer, costs are a table of their own.
_ROOMY = 150


@dataclass(frozen=True, slots=True)
class Cell:
    """One plan of the grid, what became of it, and what it cost."""

    course: ForecastCourse
    bill: Bill
    limits: tuple[Bottleneck, ...]  # the longest first
    published: Published | None

    @property
    def plan(self) -> ForecastPlan:
        """The plan."""
        return self.course.plan


def cell(plan: ForecastPlan, book: PriceBook) -> Cell:
    """Carry out and price a plan; raises ForecastError where it would take too long."""
    course = run(plan)
    return Cell(course, bill(course, book), limits(plan), published(plan))


def show(console: Console, cells: Sequence[Cell]) -> None:
    """The grid, then what is published, and what the figures lack."""
    roomy = console.width >= _ROOMY
    console.width = max(console.width, _ROOMY)  # the terminal breaks a line, never we a figure
    for names in [(*_PLAN, *_TIME, *_COST)] if roomy else [(*_PLAN, *_TIME), (*_PLAN, *_COST)]:
        table = PlainTable(encoding=console.encoding, box=None, pad_edge=False)
        for name in names:
            is_text = name == "limited by"
            table.add_column(name, justify="left" if is_text else "right", no_wrap=not is_text)
        for each in cells:
            row = _row(each)
            table.add_row(*(row[name] for name in names))
        console.print(table)
        if not roomy:
            console.print()
    for line in lines(cells):
        say(console, line)


def _row(each: Cell) -> dict[str, str]:
    course, found = each.course, each.bill
    return {
        "GPUs": f"{each.plan.gpus:,}",
        "images": f"{each.plan.images:,}",
        "makespan": units.seconds(course.makespan_s),
        "images/h": f"{course.images_per_s * 3600:,.0f}",
        "GPU node-h": f"{found.gpu_node_hours:,.2f}",
        "limited by": limited_by(each),
        "GPU nodes": units.usd(found.run.gpu_nodes_usd),
        "CPU nodes": units.usd(found.run.cpu_nodes_usd),
        "bucket": units.usd(found.run.network_usd),
        "zone traffic": units.usd(found.zone_traffic_usd),
        "total": _sum(found.total_usd, found),
        "to scale-down": _sum(found.fully_loaded_usd, found) if found.fully_loaded else "-",
        "an image": _sum(found.usd_per_image, found),
    }


def _sum(usd: float | None, of: Bill) -> str:
    if usd is None:
        return "not priced"
    return f">= {units.usd(usd)}" if of.run.at_least else units.usd(usd)


def limited_by(each: Cell) -> str:
    """The part that would take longest alone, and its share of the makespan."""
    longest = each.limits[0]
    if not each.course.makespan_s:
        return longest.part
    return f"{longest.part} ({min(1.0, longest.seconds / each.course.makespan_s):.0%})"


def lines(cells: Sequence[Cell]) -> list[str]:
    """What is to be said below the table."""
    first = cells[0].plan
    found = [
        f"in virtual time, by the simulated cluster: seed {first.cluster.seed}, "
        f"{gpu_rate(first.cluster):.3g} images/s a GPU node that is never idle, "
        f"{'ZIPs of ' + units.count(first.images_per_job, 'image') if first.zips else 'images'}"
        f" each {first.start_delay_s:g} s; costs to the last job's end, "
        "and in all once the GPU nodes are gone"
    ]
    for each in cells:
        if each.course.images_failed:
            found.append(f"{_name(each)}: {each.course.images_failed:,} images failed")
        if each.published is not None:
            found.append(_beside(each, each.published))
    lacking = dict.fromkeys(line for each in cells for line in each.bill.lacking)
    found += [f"at least: {line}" for line in lacking]
    found += [f"prices: {source}" for source in cells[0].bill.sources]
    return [*found, NOT_MODELLED]


def _name(each: Cell) -> str:
    return f"{units.count(each.plan.gpus, 'GPU')}, {each.plan.images:,} images"


def _beside(each: Cell, known: Published) -> str:
    total = each.bill.total_usd
    cost = "no cost" if total is None else f"{units.usd(total)} ({off(total, known.usd):+.0%})"
    took = each.course.makespan_s
    return (
        f"{_name(each)}: published about {units.seconds(known.makespan_s)} and about "
        f"{units.usd(known.usd)}; the model says {units.seconds(took)} "
        f"({off(took, known.makespan_s):+.0%}) and {cost}"
    )


def as_json(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """One object a cell; seconds, hours and US dollars, as the names say."""
    return [_object(each) for each in cells]


def _object(each: Cell) -> dict[str, Any]:
    course, found = each.course, each.bill
    known = each.published
    return {
        "gpus": each.plan.gpus,
        "images": each.plan.images,
        "jobs": each.plan.jobs,
        "submitted_s": course.submitted_s,
        "makespan_s": course.makespan_s,
        "scaled_down_s": course.scaled_down_s,
        "images_done": course.images_done,
        "images_failed": course.images_failed,
        "images_per_hour": course.images_per_s * 3600,
        "gpu_busy_share": course.gpu_busy,
        "gpu_node_hours": found.gpu_node_hours,
        "cpu_node_hours": found.cpu_node_hours,
        "gpu_nodes_usd": found.run.gpu_nodes_usd,
        "cpu_nodes_usd": found.run.cpu_nodes_usd,
        "bucket_usd": found.run.network_usd,
        "zone_traffic_usd": found.zone_traffic_usd,
        "total_usd": found.total_usd,
        "usd_per_image": found.usd_per_image,
        "at_least": found.run.at_least,
        "fully_loaded_usd": found.fully_loaded_usd,
        "lacking": list(found.lacking),
        "price_sources": list(found.sources),
        "limits": [dataclasses.asdict(limit) for limit in each.limits],
        "published": None
        if known is None
        else {"makespan_s": known.makespan_s, "total_usd": known.usd},
        "plan": dataclasses.asdict(each.plan),
    }
