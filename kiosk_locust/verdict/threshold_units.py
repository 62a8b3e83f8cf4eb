"""What a threshold may speak of, and in which units."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from kiosk_locust.model.job_metrics import STAGES
from kiosk_locust.model.record import Outcome
from kiosk_locust.parsing import UNITS_S


class QuantityKind(StrEnum):
    """The dimension of a quantity; values of one kind are compared in one unit."""

    DURATION = "duration"  # seconds
    SHARE = "share"  # of all tickets or images, from 0 to 1
    COUNT = "count"  # tickets
    RATE = "rate"  # a second
    MONEY = "money"  # US dollars


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as people write it; ``factor`` of the kind's own unit make one of it."""

    name: str
    kind: QuantityKind
    factor: float
    of: str = ""  # what a rate or a count is of: "images" or "jobs"

    def show(self, value: float, digits: int = 4) -> str:
        """``value``, given in the kind's own unit, as a number with this unit."""
        space = "" if self.name == "%" else " "
        number = format(Decimal(f"{value / self.factor:.{digits}g}"), "f")  # 0.00002, not 2e-05
        return f"{number}{space}{self.name}"


#: Units of a duration that are shown by another of their names.
_SHOWN = {"\u00b5s": "us", "\u03bcs": "us", "sec": "s", "m": "min"}
_PER = {"s": 1.0, "m": 1 / 60, "min": 1 / 60, "h": 1 / 3600}

#: Every unit, by all the names it may be written with.
UNITS: dict[str, Unit] = {
    **{
        name: Unit(_SHOWN.get(name, name), QuantityKind.DURATION, factor)
        for name, factor in UNITS_S.items()
    },
    "%": Unit("%", QuantityKind.SHARE, 0.01),
    **{name: Unit("jobs", QuantityKind.COUNT, 1.0, "jobs") for name in ("job", "jobs")},
    **{
        f"{word}/{per}": Unit(f"{of}/{_SHOWN.get(per, per)}", QuantityKind.RATE, factor, of)
        for of in ("images", "jobs")
        for word in (of, of.removesuffix("s"))
        for per, factor in _PER.items()
    },
    **{name: Unit("USD", QuantityKind.MONEY, 1.0) for name in ("USD", "usd", "$")},
}
DOLLARS = UNITS["USD"]

#: Durations of many jobs, which need a percentile: ``job.p95``.
DISTRIBUTIONS = (
    "job",  # by the Kiosk's clock, from its creation to its end
    "job_since_due",  # from the moment it was due to its end, by the generator's clock
    *STAGES,
    "submission_lag",
    "socket_wait",
    "submission_http",
    "detection_bound",
)
#: Shares of all tickets (``failed < 1%``) or, with the unit ``jobs``, their number.
OUTCOMES = tuple(outcome.value for outcome in Outcome)
#: What needs a plain value, and of which kind it is.
SINGLE: dict[str, QuantityKind] = {
    "makespan": QuantityKind.DURATION,
    **dict.fromkeys(OUTCOMES, QuantityKind.SHARE),
    "images_failed": QuantityKind.SHARE,
    "throughput": QuantityKind.RATE,  # over the makespan
    "plateau": QuantityKind.RATE,  # of the longest stretch at one rate
    "cost.per_image": QuantityKind.MONEY,  # per good image
    "cost.per_job": QuantityKind.MONEY,
    "cost.total": QuantityKind.MONEY,
}
#: What speaks of failures: with a threshold on one of these, failed jobs alone are no miss.
FAILURES = frozenset({"partial", "failed", "rejected", "vanished", "images_failed"})

_WANTED = {
    QuantityKind.DURATION: "60s, 5min, 250ms",
    QuantityKind.SHARE: "1%, or a number of them: 5 jobs",
    QuantityKind.RATE: "40 images/s, 100 jobs/min",
    QuantityKind.MONEY: "0.0003, 25 USD",
}


def examples(kind: QuantityKind) -> str:
    """How limits of this kind are written."""
    return _WANTED[kind]


def units_of(measure: str, kind: QuantityKind) -> dict[str, Unit]:
    """The units that a measure of this kind may be given in."""
    kinds = {kind, QuantityKind.COUNT} if measure in OUTCOMES else {kind}
    return {name: unit for name, unit in UNITS.items() if unit.kind in kinds}
