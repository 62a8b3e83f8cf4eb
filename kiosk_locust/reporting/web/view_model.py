"""View model of a run's page at one moment; of bounded size."""

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
from kiosk_locust.reporting.web.timeline import TimelineValues

State = Literal["starting", "running", "ending", "finished", "interrupted", "died"]

#: Number of latest failures shown, and length of each reason in characters.
MOST_FAILURES = 20
LONGEST_REASON = 300
#: Settings whose size grows with the jobs.
_LONG_SETTINGS = ("arrival_offsets_s",)


@dataclass(frozen=True, slots=True)
class Failure:
    """A closed job that is not done."""

    at: float  # epoch seconds
    number: int
    cycle: int
    job_id: str
    outcome: str
    reason: str
    output_url: str  # as the Kiosk returned it: any text


@dataclass(frozen=True, slots=True)
class Bars:
    """Histogram: counts between edges (s); there is one edge more than counts."""

    edges_s: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the run by its name alone; the page knows the folder."""

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of the run: start in seconds from the timeline's zero, and length in seconds."""

    begin_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Time excluded as warm-up or cool-down; seconds, as in `Pause`."""

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
    closed: int  # jobs; without tickets that were never submitted
    submitted: int
    in_flight: int
    images_done: int
    images_failed: int
    elapsed_s: float
    left_s: float | None
    rate_per_s: float | None  # tickets closed per second, recently; None once it is over
    rate_wanted_per_s: float | None
    rate_achieved_per_s: float | None
    outcomes: Mapping[str, int]
    statuses: Mapping[str, int]  # jobs in flight, by last polled status
    course: TimelineValues
    durations: Bars
    percentiles_s: Mapping[str, Percentiles]
    exact: bool  # percentiles are exact; else within 0.1 %
    failures: tuple[Failure, ...]  # latest first; then jobs that did not end
    problems: tuple[str, ...]  # problems of the measurement
    verdict: str  # exit code and reason; empty until known
    pauses: tuple[Pause, ...]
    cuts: tuple[Cut, ...]
    files: tuple[File, ...]
    cost: Mapping[str, Any] | None  # as in kiosk_locust.cost; None: not known
    configuration: Mapping[str, Any]
    judgement: Mapping[str, Any] | None = None  # verdict and thresholds; None: not yet
    by_job_type: Mapping[str, Any] | None = None  # None: one type, or not yet known
    never_begun: int = 0  # tickets of an ended run without a submission
    failed_images: tuple[Group, ...] = ()  # by reason; empty while the run is on
    plateau: str = ""  # one sentence; empty while the run is on
    definitions_version: int = definitions.VERSION

    def as_json(self) -> str:
        """The picture as JSON text, with labels of times; numbers that are not finite are null."""
        document = asdict(self) | {"labels": LABELS}
        return json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)


def histogram(spread: Spread) -> Bars:
    """Histogram as the page draws it."""
    edges, counts = spread.classes()
    return Bars(tuple(float(f"{edge:.4g}") for edge in edges), tuple(counts))


def excerpt(reason: str | None) -> str:
    """Most informative line of a reason, of bounded length."""
    return shortened(gist(reason or ""), LONGEST_REASON)


def shown_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration without settings that grow with the jobs."""
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
    """Sentences about problems of the measurement; each number is a count of jobs."""
    sentences = [f"The run could not go on: {trouble}"] if trouble else []
    if waited_for_user:
        sentences.append(
            f"{units.count(waited_for_user, 'job')} waited for a free user, so the schedule was "
            "not kept: raise the number of users (-u)."
        )
    if ambiguous:
        sentences.append(
            f"{units.count(ambiguous, 'job')} may have been submitted more than once: the Kiosk "
            "may have worked on more jobs than are counted here."
        )
    if observed:
        sentences.append(
            f"The durations of {units.count(observed, 'job')} are the client's own, since the "
            "Kiosk gave no usable times: they may be off by half the time between two polls."
        )
    if interrupted:
        sentences.append(
            f"Consumers of {units.count(interrupted, 'job')} died, and others began anew: the lost "
            "time is interrupted work, neither queue wait nor processing."
        )
    if blurred:
        sentences.append(f"{blurred}.")
    if expire_errors:
        sentences.append(
            f"The records of {units.count(expire_errors, 'job')} could not be told to expire: "
            "they stay in the Kiosk."
        )
    return tuple(sentences)


def _finite(value: Any) -> Any:
    """``value`` with null for infinities and NaN, which JSON lacks."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(name): _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
