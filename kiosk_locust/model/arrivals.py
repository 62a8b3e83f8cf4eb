"""When each job is due; pure, and the same again for the same options."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

from kiosk_locust.model.options import Options, Ramp
from kiosk_locust.model.record import Ticket


def offsets(options: Options, cycle: int) -> Iterator[float | None]:
    """Seconds from the start of ``cycle`` (from 1) at which each ticket is due, in order.

    As many as there are jobs a cycle, without end where ``count`` is 0. None means that no
    time was promised: in a closed workload, every job after a user's first.
    """
    due: Iterator[float | None]
    if options.workload == "closed":
        first_round = itertools.islice(_constant(options.start_delay_s), options.users)
        due = itertools.chain(first_round, itertools.repeat(None))
    elif options.arrival == "constant":
        due = _constant(options.start_delay_s)
    elif options.arrival == "poisson":
        due = _poisson(options.start_delay_s, random.Random(f"{options.arrival_seed}/{cycle}"))
    elif options.arrival == "ramp":
        if options.ramp is None:
            raise ValueError("arrival 'ramp' needs a ramp")
        due = _ramp(options.ramp)
    else:
        due = iter(options.arrival_offsets_s)
    return itertools.islice(due, options.count) if options.count else due


def tickets(options: Options, cycle: int, started_at: float) -> Iterator[Ticket]:
    """The tickets of ``cycle`` in order of their numbers; ``started_at`` in epoch seconds."""
    first_id = (cycle - 1) * options.count
    for number, offset in enumerate(offsets(options, cycle)):
        due_at = None if offset is None else started_at + offset
        file = options.transfers.file_of(number, options.file)
        yield Ticket(first_id + number, cycle, number, due_at, file)


def _constant(gap_s: float) -> Iterator[float]:
    # A product, not a sum: a sum of a million gaps drifts.
    return (number * gap_s for number in itertools.count())


def _poisson(mean_gap_s: float, rng: random.Random) -> Iterator[float]:
    """A Poisson process: independent, exponentially distributed gaps."""
    if mean_gap_s == 0:
        return itertools.repeat(0.0)
    return itertools.accumulate(rng.expovariate(1 / mean_gap_s) for _ in itertools.count())


def _ramp(ramp: Ramp) -> Iterator[float]:
    """Job ``i`` is due when the integral of the rate reaches ``i``.

    While the rate r grows by a = (to - from) / seconds, that is from·t + a·t²/2 = i, whose
    root is written so that it holds for a = 0, too; afterwards the rate stays.
    """
    growth = (ramp.to_rate - ramp.from_rate) / ramp.seconds
    during = (ramp.from_rate + ramp.to_rate) / 2 * ramp.seconds
    for number in itertools.count():
        if number <= during:
            root = math.sqrt(max(0.0, ramp.from_rate**2 + 2 * growth * number))
            yield 2 * number / (ramp.from_rate + root) if number else 0.0
        else:
            yield ramp.seconds + (number - during) / ramp.to_rate
