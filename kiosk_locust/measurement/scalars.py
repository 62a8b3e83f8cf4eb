"""The figures of a run that are one number each, by the names that thresholds have for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.formatting import units
from kiosk_locust.measurement.estimates import MeasuredFigure, unmeasured
from kiosk_locust.model.record import OUTCOMES, Outcome


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run, or a part of it, came to; None is not known.

    ``outcomes`` has the tickets by outcome, ``unended`` how many submitted jobs were not seen to
    end; ``never_begun`` of the unfinished tickets had nothing sent. Rates are a second, costs US
    dollars; ``no_cost`` says why there is no cost.
    """

    outcomes: Mapping[str, int]
    unended: int
    images_done: int
    images_failed: int
    makespan_s: float | None
    jobs_per_s: float | None
    images_per_s: float | None
    plateau_jobs_per_s: float | None = None
    plateau_images_per_s: float | None = None
    no_plateau: str = "there is no plateau"
    cost_usd: float | None = None
    no_cost: str = "the nodes' costs are not known"
    never_begun: int = 0
    is_open_ended: bool = False  # nobody said how many jobs there were to be


def figures(totals: Totals) -> dict[str, MeasuredFigure]:
    """By ``Threshold.measure``: every measure but percentiles.

    Shares are of the jobs that were begun, since nobody knows of the others how they had ended; the
    share of ``unfinished`` ones is of all tickets. A makespan with jobs that did not end, or of a
    plan of which some were never begun, is "at least" what was seen of it.
    """
    tickets = sum(totals.outcomes.values())
    of = dict.fromkeys(OUTCOMES, tickets - totals.never_begun)
    of[Outcome.UNFINISHED.value] = tickets
    no_job = "no job was begun" if tickets else "there was no ticket"
    images = totals.images_done + totals.images_failed
    counts = {name: totals.outcomes.get(name, 0) for name in OUTCOMES}
    useful = counts["done"] + counts["partial"]
    none_ended = "too few jobs ended, or all at once"
    return {
        **{name: _ratio(count, of[name], no_job) for name, count in counts.items()},
        **{f"{name}.jobs": MeasuredFigure(float(count)) for name, count in counts.items()},
        "images_failed": _ratio(totals.images_failed, images, "no image was seen to end"),
        "makespan": _makespan(totals),
        "throughput.jobs": _known(totals.jobs_per_s, none_ended),
        "throughput.images": _known(totals.images_per_s, none_ended),
        "plateau.jobs": _known(totals.plateau_jobs_per_s, totals.no_plateau),
        "plateau.images": _known(totals.plateau_images_per_s, totals.no_plateau),
        "cost.total": _known(totals.cost_usd, totals.no_cost),
        "cost.per_job": _cost(totals, useful, "no job is done"),
        "cost.per_image": _cost(totals, totals.images_done, "no image is done"),
    }


def _makespan(totals: Totals) -> MeasuredFigure:
    if totals.makespan_s is None:
        return unmeasured("no job was seen to end")
    never_begun = 0 if totals.is_open_ended else totals.never_begun
    left = {"did not end": totals.unended, "never begun": never_begun}
    said = [f"{units.count(number, 'job')} {what}" for what, number in left.items() if number]
    return MeasuredFigure(totals.makespan_s, is_least=bool(said), why=", ".join(said))


def _cost(totals: Totals, count: int, why: str) -> MeasuredFigure:
    if totals.cost_usd is None:
        return unmeasured(totals.no_cost)
    return _ratio(totals.cost_usd, count, why)


def _ratio(number: float, of: int, why: str) -> MeasuredFigure:
    return MeasuredFigure(number / of) if of else unmeasured(why)


def _known(value: float | None, why: str) -> MeasuredFigure:
    return unmeasured(why) if value is None else MeasuredFigure(value)
