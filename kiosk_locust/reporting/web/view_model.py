"""Everything that the page of a run shows, at one moment, in one value whose size is bounded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kiosk_locust.formatting import units
from kiosk_locust.formatting.excerpt import gist, shortened
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.model import definitions
from kiosk_locust.model.image_failures import Group
from kiosk_locust.reporting.labels import LABELS
from kiosk_locust.reporting.web.log_histogram import Spread
from kiosk_locust.reporting.web.timeline import Course

State = Literal["starting", "running", "ending", "finished", "interrupted", "died"]

#: So many of the last failures are shown, each with so much of its reason.
MOST_FAILURES = 20
LONGEST_REASON = 300
#: Settings whose size grows with the jobs.
_LONG_SETTINGS = ("arrival_offsets_s",)


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that is closed and not done."""

    at: float  # epoch seconds
    number: int
    cycle: int
    job_id: str
    outcome: str
    reason: str
    output_url: str  # as the Kiosk has it: any text


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts between edges (s); there is one edge more than there are counts."""

    edges_s: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the run, by its name alone: the page knows the folder."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which nobody worked on the run: seconds from the timeline's begin, and long."""

    begin_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """What a warm-up or a cool-down leaves out of the figures: seconds, as in `Pause`."""

    what: str  # warm-up | cool-down
    begin_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A run at one moment; times in epoch seconds or, ending in ``_s``, in seconds."""

    run_name: str
    host: str
    simulated: bool
    workload: str  # open | closed
    state: State
    ended_by: str
    begun_at: float  # the timeline's zero
    read_at: float
    total: int | None  # tickets; None: open-ended
    closed: int  # jobs; tickets that were never begun are none
    submitted: int
    in_flight: int
    images_done: int
    images_failed: int
    elapsed_s: float
    left_s: float | None
    rate_per_s: float | None  # tickets closed in a second, lately; None once it is over
    rate_wanted_per_s: float | None
    rate_achieved_per_s: float | None
    outcomes: Mapping[str, int]
    statuses: Mapping[str, int]  # jobs in flight, by the last status seen
    course: Course
    durations: Bars
    percentiles_s: Mapping[str, Percentiles]
    exact: bool  # whether the percentiles are; else within 0.1 %
    failures: tuple[Failure, ...]  # the last ones, newest first; behind them jobs that did not end
    problems: tuple[str, ...]  # what is wrong with the measurement
    verdict: str  # the exit code and why; empty while it is not known
    pauses: tuple[Pause, ...]
    cuts: tuple[Cut, ...]
    files: tuple[File, ...]
    cost: Mapping[str, Any] | None  # as kiosk_locust.cost tells it; None: not known
    configuration: Mapping[str, Any]
    judgement: Mapping[str, Any] | None = None  # verdict and thresholds; None: not yet
    by_job_type: Mapping[str, Any] | None = None  # where there are several; None: not yet
    never_begun: int = 0  # tickets of a run that was ended, of which nothing was sent
    failed_images: tuple[Group, ...] = ()  # by reason; none while the run is on
    plateau: str = ""  # a sentence on it; empty while the run is on
    definitions_version: int = definitions.VERSION

    def as_json(self) -> str:
        """The same as JSON text, with what times are called; what is no finite number is null."""
        told = asdict(self) | {"labels": LABELS}
        return json.dumps(_finite(told), separators=(",", ":"), allow_nan=False)


def histogram(spread: Spread) -> Bars:
    """A spread as the page draws it."""
    edges, counts = spread.classes()
    return Bars(tuple(float(f"{edge:.4g}") for edge in edges), tuple(counts))


def excerpt(reason: str | None) -> str:
    """The line of a reason that says most; not without end."""
    return shortened(gist(reason or ""), LONGEST_REASON)


def shown_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without what grows with the jobs."""
    return {name: value for name, value in options.items() if name not in _LONG_SETTINGS}


def problems(
    *,
    waited_for_user: int,
    ambiguous: int,
    expire_errors: int,
    observed: int,
    interrupted: int = 0,
    blurred: str = "",
    trouble: str = "",
) -> tuple[str, ...]:
    """What makes the figures less than they seem, in sentences; each argument counts jobs."""
    found = [f"The run could not go on: {trouble}"] if trouble else []
    if waited_for_user:
        found.append(
            f"{units.count(waited_for_user, 'job')} waited for a free user, so the schedule was "
            "not kept: raise the number of users (-u)."
        )
    if ambiguous:
        found.append(
            f"{units.count(ambiguous, 'job')} may have been submitted more than once: the Kiosk "
            "may have worked on more jobs than are counted here."
        )
    if observed:
        found.append(
            f"The durations of {units.count(observed, 'job')} are the client's own, since the "
            "Kiosk gave no usable times: they may be off by half the time between two polls."
        )
    if interrupted:
        found.append(
            f"Consumers of {units.count(interrupted, 'job')} died, and others began anew: the lost "
            "time is interrupted work, neither queue wait nor processing."
        )
    if blurred:
        found.append(f"{blurred}.")
    if expire_errors:
        found.append(
            f"The records of {units.count(expire_errors, 'job')} could not be told to expire: "
            "they stay in the Kiosk."
        )
    return tuple(found)


def _finite(value: Any) -> Any:
    """JSON has no infinities and no NaN; what comes from elsewhere may have them."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
