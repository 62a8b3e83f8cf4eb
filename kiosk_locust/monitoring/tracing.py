"""OpenTelemetry spans of jobs, if Locust runs with ``--otel``.

A span is made when its job is closed, with the times of its record, so that nothing is done for it
while times are measured. It ends with the job, not with the poll that saw the end. Its children are
a span for each submission and for each polled status, by the client's clock; the Kiosk's stage
times are attributes.

A worker exports its own jobs, so ``--otel`` must be set for workers; a master exports none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import RunObserver
from kiosk_locust.model.record import Outcome, Record
from kiosk_locust.model.time_bounds import End
from kiosk_locust.monitoring import otel

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_NS = 1_000_000_000
_LONGEST = 200  # characters of a reason


class Part(NamedTuple):
    """Child of a job's span; times in epoch seconds."""

    name: str
    began_at: float
    ended_at: float
    attributes: Mapping[str, str | int | float]


def parts(record: Record, ended: End | None) -> Iterator[Part]:
    """Children of a closed job's span, in order."""
    if record.upload is not None:
        upload_size: Mapping[str, int] = {"kiosk.bytes": record.upload.size}
        yield Part("upload", record.upload.began_at, record.upload.ended_at, upload_size)
    for attempt in record.attempts:
        ended_at = attempt.received_at or attempt.sent_at or attempt.asked_at
        submission: dict[str, str | int | float] = {"kiosk.attempt": attempt.result.value}
        if attempt.http_status is not None:
            submission["http.response.status_code"] = attempt.http_status
        yield Part("submit", attempt.asked_at, ended_at, submission)
    limit_at = _end(record, ended, -math.inf)  # the poll of the final status came later
    for change, following in itertools.zip_longest(record.changes, record.changes[1:]):
        start_at = min(change.observed_at, limit_at)
        ended_at = limit_at if following is None else min(following.observed_at, limit_at)
        yield Part(f"status {change.status}", start_at, ended_at, {})


def attributes(record: Record, measures: Measures) -> dict[str, str | int | float | bool]:
    """Attributes of a job's span; only bounded values from the Kiosk."""
    values: dict[str, str | int | float | bool] = {
        "kiosk.job_type": record.request.job_type,
        "kiosk.job_id": record.job_id or "",
        "kiosk.ticket": record.ticket.number,
        "kiosk.cycle": record.ticket.cycle,
        "kiosk.outcome": (record.outcome or Outcome.ERROR).value,
        "kiosk.ambiguous": record.ambiguous,
        "kiosk.images_done": measures.images_done,
        "kiosk.images_failed": measures.images_failed,
        "kiosk.polls": record.polls,
    }
    if measures.duration_s is not None:
        values["kiosk.duration_s"] = measures.duration_s
    if measures.since_due_s is not None:
        values["kiosk.duration_from_due_s"] = measures.since_due_s
    if (delay_s := _polling_delay_s(record, measures.end)) is not None:
        values["kiosk.polling_delay_s"] = delay_s
    for stage, times in measures.stages.items():
        values[f"kiosk.stage.{stage}_s"] = sum(times)
    return values


class Spans(RunObserver):
    """Observer that exports spans of closed jobs to ``tracer``."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(self, zero_at: float) -> None:  # noqa: ARG002  spans have their own times
        """Count exports from now on."""
        otel.DELIVERY.count()

    def stop(self) -> None:
        """Export remaining spans."""
        otel.flush()

    def on_closed(self, record: Record, measures: Measures) -> None:
        """Export a closed ticket; a ticket without a submission has no span."""
        from opentelemetry import trace  # noqa: PLC0415  an extra, installed here
        from opentelemetry.context import Context  # noqa: PLC0415

        if not record.attempts:
            return
        children = list(parts(record, measures.end))
        began_at = min(part.began_at for part in children)
        span = self._tracer.start_span(
            f"JOB {record.request.job_type}",
            Context(),  # a trace of its own
            attributes=attributes(record, measures),
            start_time=_ns(began_at),
        )
        if record.outcome is not Outcome.DONE:
            span.set_status(trace.StatusCode.ERROR, record.reason[:_LONGEST])
        otel.DELIVERY.made += 1 + len(children)
        parent_context = trace.set_span_in_context(span)
        for part in children:
            child: Span = self._tracer.start_span(
                part.name, parent_context, attributes=part.attributes, start_time=_ns(part.began_at)
            )
            child.end(_ns(part.ended_at))
        ended_at = _end(record, measures.end, began_at)
        span.end(_ns(max(ended_at, *(part.ended_at for part in children))))


def spans_if_on(parsed_options: Any) -> Spans | None:
    """Exporter of spans; None without ``--otel``, or without the extra."""
    if not getattr(parsed_options, "otel", False):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415  an extra: kiosk-locust[otel]
    except ImportError:
        return None  # Locust reports it
    return Spans(trace.get_tracer(otel.SCOPE))


def _polling_delay_s(record: Record, ended: End | None) -> float | None:
    """Seconds from a job's end to the response of the poll that saw it; None if only polls tell."""
    if ended is None or ended.source == "observed" or record.observed_at is None:
        return None
    return record.observed_at - ended.moment.at


def _end(record: Record, ended: End | None, earliest: float) -> float:
    """End of a job; if it did not end, its closing."""
    if ended is not None:
        return max(earliest, ended.moment.at)
    ends = (record.observed_at, record.closed_at)
    return max([earliest, *(at for at in ends if at is not None)])


def _ns(at: float) -> int:
    return int(at * _NS)
