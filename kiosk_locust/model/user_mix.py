"""The user class of each ticket: by the classes' weights, evenly, and the same on every run.

Pure: the same ticket has the same class in every process and in every session of a run, as long
as the weights stay.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

#: The weights of a mix are whole numbers of at most this sum; finer ones are rounded to it.
MOST_PARTS = 1_000


@dataclass(frozen=True, slots=True)
class Mix:
    """The classes that share a run's tickets, with their parts of each block of tickets.

    A block has as many tickets as all parts together. ``Mix.of`` makes one from weights::

        Mix.of({"Segmentation": 3, "Mesmer": 1}, seed=7).class_of(0)
    """

    parts: tuple[tuple[str, int], ...]
    seed: int = 0

    @classmethod
    def of(cls, weights: Mapping[str, Fraction], seed: int) -> Mix:
        """The mix of classes with these weights; in whatever order they come, it is the same.

        Raises ValueError where no weight is above 0.
        """
        wanted = {name: weight for name, weight in sorted(weights.items()) if weight > 0}
        if not wanted:
            raise ValueError("no class has a weight above 0")
        return cls(tuple(zip(wanted, _parts(list(wanted.values())), strict=True)), seed)

    def class_of(self, ticket_id: int) -> str:
        """The class of a ticket, by its id.

        Of the first n tickets, for every n, each class has its share of n, rounded up or down.
        """
        if len(self.parts) == 1:
            return self.parts[0][0]
        counts = tuple(count for _, count in self.parts)
        block, place = divmod(ticket_id, sum(counts))
        return self.parts[_order(counts, f"{self.seed}/classes/{block}")[place]][0]

    def __str__(self) -> str:
        return " : ".join(f"{name} {count}" for name, count in self.parts)

    def as_text(self) -> str:
        """The parts as JSON; the seed stands in the run's options."""
        return json.dumps(self.parts)

    @classmethod
    def from_text(cls, text: str, seed: int) -> Mix:
        """The mix that ``as_text`` wrote."""
        return cls(tuple((str(name), int(count)) for name, count in json.loads(text)), seed)


def _parts(weights: list[Fraction]) -> list[int]:
    """Whole numbers in the ratio of ``weights``; one at least, MOST_PARTS at most together."""
    total = sum(weights)
    scale = math.lcm(*((weight / total).denominator for weight in weights))
    if scale <= MOST_PARTS:
        return [int(weight / total * scale) for weight in weights]
    exact = [weight / total * MOST_PARTS for weight in weights]
    found = [max(1, math.floor(share)) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: found[i] - exact[i])
    for i in by_remainder[: max(0, MOST_PARTS - sum(found))]:
        found[i] += 1
    return found


@lru_cache(maxsize=64)
def _order(counts: tuple[int, ...], seed: str) -> tuple[int, ...]:
    """The classes, by index, of the tickets of one block, in an order drawn by ``seed``.

    At every place, a class is drawn of those that can come next, by what is left of each. Class i
    with its share s may have its j-th ticket at no place before floor((j-1)/s) and none after
    ceil(j/s) - 1, which keeps its number among the first n between floor(ns) and ceil(ns). These
    are the windows of fair schedules on one processor (Baruah et al., Algorithmica 15 (1996)
    600); an order exists as long as no moment d has more tickets that must come before it than
    there are places before it, and ``spare[d]`` counts the places that are spare.
    """
    rng = random.Random(seed)
    length = sum(counts)
    spare = [d - sum(d * count // length for count in counts) for d in range(length + 1)]
    had, order = [0] * len(counts), []
    for place in range(length):
        full_at = spare.index(0, place + 1)
        ends = [-(-(n + 1) * length // count) for n, count in zip(had, counts, strict=True)]
        free = [
            i
            for i, count in enumerate(counts)
            if had[i] < count and had[i] * length // count <= place and ends[i] <= full_at
        ]
        (drawn,) = rng.choices(free, [counts[i] - had[i] for i in free])
        for d in range(place + 1, ends[drawn]):
            spare[d] -= 1
        had[drawn] += 1
        order.append(drawn)
    return tuple(order)
