"""The plateau: the longest stretch of a run over which images were completed at one rate.

Completions are counted in at most 200 bins. A change of their rate is looked for with the CUSUM
test: the standardized partial sums of a stationary series behave as a Brownian bridge, whose
greatest absolute value exceeds 1.358 in 5 % of the cases (Ploberger and Kraemer, Econometrica 60
(1992) 271; the distribution is Kolmogorov's). What lies between two change points is a stretch.
``benchmarks/plateau.py`` measures how often the test is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal

from kiosk_locust.formatting import units

#: The most bins over one cycle.
MOST_BINS = 200
#: What a plateau needs: completed jobs, median processing times, share of the makespan.
FEWEST_JOBS = 100
FEWEST_PROCESSING_TIMES = 20
LEAST_SHARE = 0.25
#: The 95 % point of the greatest absolute value of a Brownian bridge.
CRITICAL = 1.358
#: The moments in each bin at which work is looked for in the queue.
SAMPLES = 20
#: At so many of them there may be none where work waited throughout: the last job leaves the queue
#: a processing time before it ends, which is up to 1/20 of a stretch.
IDLE_SHARE = 1 / FEWEST_PROCESSING_TIMES

#: So few bins show no change.
_FEWEST_BINS = 8
_MOST_ROUNDS = 20

Kind = Literal["saturated", "offered", "unknown", "none"]


@dataclass(frozen=True, slots=True)
class Track:
    """The completions of one cycle between two interruptions, in bins of equal width.

    It begins with the first completion, which stands in no bin, and ends with the last one.
    ``jobs`` and ``images`` are counts by bin; ``waiting`` has the jobs that waited at SAMPLES
    moments in each bin, and is empty where queue waits are not known. Times in seconds,
    ``start_at`` and those of a plateau since the epoch.
    """

    start_at: float
    width_s: float
    jobs: Sequence[int]
    images: Sequence[float]
    makespan_s: float  # of the whole cycle
    processing_s: float | None  # the median processing time; None: not known
    waiting: Sequence[int] = ()
    sees_all: bool = True  # all work that waits; of ZIPs, not their images in the next queue


@dataclass(frozen=True, slots=True)
class Plateau:
    """The completion rates at the plateau, or why there is none.

    ``kind`` is ``saturated`` where work waited throughout, ``offered`` where it did not, so that
    the rate is the one at which jobs arrived, ``unknown`` where no queue waits are known. With
    ``none`` every number is None. ``from_at`` and ``to_at`` are epoch seconds, ``text`` is a
    sentence on it.
    """

    kind: Kind
    text: str
    from_at: float | None = None
    to_at: float | None = None
    jobs: int | None = None
    jobs_per_s: float | None = None
    images_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The bins from ``low`` up to ``high`` of a track."""

    track: Track
    low: int
    high: int

    @property
    def seconds(self) -> float:
        return (self.high - self.low) * self.track.width_s

    @property
    def jobs(self) -> int:
        """Those completed in it, with the one that the track begins with."""
        return sum(self.track.jobs[self.low : self.high]) + (self.low == 0)

    @property
    def jobs_per_s(self) -> float:
        return sum(self.track.jobs[self.low : self.high]) / self.seconds

    @property
    def images_per_s(self) -> float:
        return math.fsum(self.track.images[self.low : self.high]) / self.seconds

    @property
    def kind(self) -> Kind:
        waiting = self.track.waiting[self.low * SAMPLES : self.high * SAMPLES]
        if not waiting:
            return "unknown"
        idle = sum(number <= 0 for number in waiting)
        if idle <= IDLE_SHARE * len(waiting):
            return "saturated"
        return "offered" if self.track.sees_all else "unknown"

    @property
    def lacks(self) -> str:
        """What it is too short or too small for; empty where it is long enough."""
        track, seconds = self.track, units.seconds(self.seconds)
        if self.jobs < FEWEST_JOBS:
            return f"{units.count(self.jobs, 'job')} completed in it, {FEWEST_JOBS} are needed"
        if track.processing_s is None:
            return "no processing time is known"
        least_s = FEWEST_PROCESSING_TIMES * track.processing_s
        if self.seconds < least_s:
            return (
                f"it lasted {seconds}, {FEWEST_PROCESSING_TIMES} median processing times are"
                f" {units.seconds(least_s)}"
            )
        if self.seconds < LEAST_SHARE * track.makespan_s:
            return (
                f"it lasted {seconds}, {LEAST_SHARE:.0%} of the makespan are"
                f" {units.seconds(LEAST_SHARE * track.makespan_s)}"
            )
        return ""


def bins(completions: int) -> int:
    """The number of bins for so many completions: two a bin, at most MOST_BINS."""
    return max(1, min(MOST_BINS, completions // 2))


def plateau(tracks: Sequence[Track], *, left_out: int = 0) -> Plateau:
    """The plateau of a run: of all tracks' stretches that are long enough, the longest.

    ``left_out`` jobs completed in none of the tracks: while no process of the run was alive.
    """
    completed = sum(sum(track.jobs) + 1 for track in tracks)
    if completed < FEWEST_JOBS:
        where = " outside of pauses" if left_out > 0 else ""
        why = f"{units.count(completed, 'job')} completed{where}, {FEWEST_JOBS} are needed"
        return Plateau("none", f"no plateau: {why}")
    stretches = [stretch for track in tracks for stretch in _stretches(track)]
    moved = _movement(stretches)
    enough = [stretch for stretch in stretches if not stretch.lacks]
    if not enough:
        longest = max(stretches, key=lambda stretch: stretch.seconds)
        of = "the longest stretch at one rate is too short: " if moved else ""
        why = f"{of}{longest.lacks}"
        return Plateau("none", f"no plateau: {'; '.join(filter(None, (moved, why)))}")
    best = max(enough, key=lambda stretch: stretch.seconds)
    return Plateau(
        best.kind,
        _text(best, moved),
        best.track.start_at + best.low * best.track.width_s,
        best.track.start_at + best.high * best.track.width_s,
        best.jobs,
        best.jobs_per_s,
        best.images_per_s,
    )


def change_points(counts: Sequence[float], least_variance: float = 0.0) -> list[int]:
    """The bins that begin at another rate than those before them, in ascending order.

    Found by binary segmentation (Vostrikova, Soviet Math. Dokl. 24 (1981) 55); each is then
    tested again, and placed anew, between its neighbours, and dropped where no change is found
    any more (Inclan and Tiao, J. Am. Stat. Assoc. 89 (1994) 913). ``least_variance`` is of one
    bin's count: where bins cut a regular series, one completion falls on either side by chance.
    """
    sums = [0.0, *accumulate(counts)]
    found = sorted(_segmented(counts, sums, least_variance, 0, len(counts)))
    for _ in range(_MOST_ROUNDS):
        edges = [0, *found, len(counts)]
        again = [
            place
            for before, after in zip(edges, edges[2:], strict=False)
            if (place := _change(counts, sums, least_variance, before, after)) is not None
        ]
        again = sorted(set(again))
        if again == found:
            break
        found = again
    return found


def _segmented(
    counts: Sequence[float], sums: Sequence[float], least: float, low: int, high: int
) -> Iterator[int]:
    place = _change(counts, sums, least, low, high)
    if place is not None:
        yield from _segmented(counts, sums, least, low, place)
        yield place
        yield from _segmented(counts, sums, least, place, high)


def _change(
    counts: Sequence[float], sums: Sequence[float], least: float, low: int, high: int
) -> int | None:
    """Where the rate changes between two bins, by the CUSUM test; None where it does not."""
    count = high - low
    if count < _FEWEST_BINS:
        return None
    mean = (sums[high] - sums[low]) / count
    distances = [abs(sums[k] - sums[low] - (k - low) * mean) for k in range(low + 1, high)]
    distance = max(distances)
    place = low + 1 + distances.index(distance)
    parts = (counts[low:place], counts[place:high])
    variance = max(least, _variance(parts))
    return place if distance > CRITICAL * math.sqrt(count * variance) else None


def _variance(parts: Sequence[Sequence[float]]) -> float:
    """The long-run variance of a bin's count, each part about its own mean.

    Neighbouring bins that resemble each other make the sums wander further than the variance
    tells; their covariances are added with Bartlett's weights (Newey and West, Econometrica 55
    (1987) 703), over ``4 (n / 100) ** (2 / 9)`` lags. It is at least the plain variance: bins
    that alternate, as those of a regular series do, are no reason to see changes earlier.
    """
    residuals: list[float] = []
    for part in parts:
        mean = math.fsum(part) / len(part)
        residuals += [value - mean for value in part]
    free = max(1, len(residuals) - len(parts))
    plain = total = math.fsum(map(mul, residuals, residuals)) / free
    lags = math.floor(4 * (len(residuals) / 100) ** (2 / 9))
    for lag in range(1, lags + 1):
        covariance = math.fsum(map(mul, residuals, residuals[lag:])) / free
        total += 2 * (1 - lag / (lags + 1)) * covariance
    return max(plain, total)


def _stretches(track: Track) -> list[_Stretch]:
    jobs = sum(track.jobs)
    each = math.fsum(track.images) / jobs if jobs else 0.0
    # A regular series cut anywhere: one completion more or less, with a variance up to 1/4.
    points = change_points(track.images, least_variance=each**2 / 4)
    edges = [0, *points, len(track.images)]
    return [_Stretch(track, low, high) for low, high in pairwise(edges)]


def _text(best: _Stretch, moved: str) -> str:
    rate = units.rate(best.images_per_s, "images")
    over = f"over {units.seconds(best.seconds)} ({units.count(best.jobs, 'job')})"
    meaning = {
        "saturated": f"{rate} {over}, saturated: work waited throughout",
        "offered": f"{rate} {over}, offered: work did not wait throughout, so this is the rate at"
        " which jobs arrived",
    }.get(best.kind, f"{rate} {over}; whether work waited is not known")
    return f"{meaning}; {moved}" if moved else meaning


def _movement(stretches: Sequence[_Stretch]) -> str:
    """How the rate moved over the run; empty where it did not."""
    rates = [stretch.images_per_s for stretch in stretches]
    if len(rates) < 2:
        return ""
    first, last = rates[0], rates[-1]
    if rates == sorted(rates) or rates == sorted(rates, reverse=True):
        verb = "rose" if last > first else "fell"
        return f"the rate {verb} from {_number(first)} to {units.rate(last, 'images')}"
    least, most = min(rates), max(rates)
    return f"the rate varied between {_number(least)} and {units.rate(most, 'images')}"


def _number(rate: float) -> str:
    """A rate whose unit is told with another one, where that is the same one."""
    shown = units.rate(rate, "images")
    return shown.removesuffix(" images/s")
