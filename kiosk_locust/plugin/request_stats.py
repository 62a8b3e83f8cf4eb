"""Locust's statistics of jobs: entries beside those of HTTP, in the web UI, ``--csv``, ``--html``.

Entries of type ``JOB`` (the name is the job type) time whole jobs, those of type ``STAGE`` their
stages. They are logged to by themselves: the Aggregated row stays that of HTTP. Locust sends the
entries of workers to its master like any others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from locust.stats import RequestStats, StatsError

from kiosk_locust.formatting.excerpt import printable
from kiosk_locust.measurement.stages import own_parts
from kiosk_locust.model.job_metrics import STAGES, Measures
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import Download, Outcome, Record
from kiosk_locust.plugin.stat_batches import Tallies

JOB = "JOB"
STAGE = "STAGE"
#: Each distinct text of an error costs memory, on the master too.
MOST_TEXTS = 100
LONGEST_TEXT = 200
OTHER_TEXT = f"another error, beyond the first {MOST_TEXTS} kinds: see the results"

_SHOWN = {stage: stage.replace("_", " ") for stage in STAGES}
_CHANGING = re.compile(
    r"(?P<uuid>\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b)"
    r"|(?P<hex>0x[0-9a-f]+|\b(?=[a-f]*\d)[0-9a-f]{16,}\b)"
    r"|(?<!HTTP )(?<!answered )(?<!\d)(?P<number>\d+(?:\.\d+)*)",  # an HTTP status stays
    re.IGNORECASE,
)


class LocustStatistics(RunObserver):
    """Observes jobs and logs the job's duration, stages and failure.

    ``tallies`` are those of ``stats``, shared with who else adds in groups.
    """

    is_essential = True

    def __init__(self, stats: RequestStats, tallies: Tallies | None = None) -> None:
        self._stats = stats
        self._tallies = tallies or Tallies(stats)
        self._texts: set[str] = set()

    def start(self, zero_at: float) -> None:  # noqa: ARG002  requests come before the first job
        """Add in groups from now on."""
        self._tallies.start()

    def stop(self) -> None:
        """Add at once, with nothing left waiting."""
        self._tallies.stop()

    def on_closed(self, record: Record, measures: Measures) -> None:
        """Log one job; one without a duration counts, with no response time."""
        name = record.request.job_type or "no job type"
        self._log(name, JOB, measures.duration_s)
        if record.outcome is not Outcome.DONE:
            self._log_failure(name, JOB, self._text(record))
        if record.upload:
            self._log("file upload", STAGE, record.upload.ended_at - record.upload.began_at)
        for stage, times in measures.stages.items():
            for time_s in times:
                self._log(_SHOWN[stage], STAGE, time_s)
        for part, part_s in _parts(record, measures):
            if part_s is not None:
                self._log(part, STAGE, part_s)

    def on_downloaded(self, _record: Record, download: Download) -> None:
        """Log one download; one that failed counts, with no response time."""
        if download.error:
            self._log("result download", STAGE, None)
            self._log_failure("result download", STAGE, "the result was not downloaded")
        else:
            self._log("result download", STAGE, download.ended_at - download.began_at)

    def _log(self, name: str, kind: str, time_s: float | None) -> None:
        self._tallies.add(name, kind, None if time_s is None else time_s * 1000)

    def _log_failure(self, name: str, kind: str, text: str) -> None:
        """What RequestStats.log_error does, without its count in the Aggregated row."""
        self._tallies.fold()  # no entry shall have more failures than jobs
        entry = self._stats.entries[(name, kind)]
        entry.log_error(text)
        key = StatsError.create_key(entry.method, entry.name, text)
        if key not in self._stats.errors:
            self._stats.errors[key] = StatsError(entry.method, entry.name, text)
        self._stats.errors[key].occurred()

    def _text(self, record: Record) -> str:
        text = describe(record.outcome or Outcome.ERROR, record.reason)
        if text not in self._texts and len(self._texts) >= MOST_TEXTS:
            return OTHER_TEXT
        self._texts.add(text)
        return text


class WorkerStatistics(LocustStatistics):
    """Leaves out jobs that end here but not in the run: ``is_returned`` tells which."""

    def __init__(
        self, stats: RequestStats, tallies: Tallies, is_returned: Callable[[Record], bool]
    ) -> None:
        super().__init__(stats, tallies)
        self._is_returned = is_returned

    def on_closed(self, record: Record, measures: Measures) -> None:
        """Log one job, unless another worker will."""
        if not self._is_returned(record):
            super().on_closed(record, measures)


def describe(outcome: Outcome, reason: str) -> str:
    """The outcome and the last line of the reason, with what differs from job to job folded.

    So a thousand jobs that fail for one reason are one line of Locust's failures.
    """
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    if not lines:
        return outcome.value
    last = printable(lines[-1])  # it comes from outside, and Locust prints it
    return f"{outcome.value}: {_CHANGING.sub(_folded, last)}"[:LONGEST_TEXT]


def _folded(match: re.Match[str]) -> str:
    return "#" if match.lastgroup == "number" else f"<{match.lastgroup}>"


def _parts(record: Record, measures: Measures) -> Iterator[tuple[str, float | None]]:
    """What is our own part of a job that was seen to end, and all of it as its user felt it."""
    parts = own_parts(record, measures.end)
    if parts is None:
        return
    yield "since taken" if record.ticket.due_at is None else "since due", measures.since_due_s
    yield "lag", max(0.0, parts["lag_s"] or 0.0)
    yield "socket wait", parts["socket_wait_s"]
    yield "submission http", parts["submission_http_s"]
    yield "detection", parts["detection_s"]
