"""Jobs as OpenTelemetry's spans, where Locust runs with ``--otel``.

A span is made when its job is closed, with the times of its record, so that nothing is done for it
while times are measured. It ends with the job, not with the poll that saw that. Below it is a span
for each submission and for each status that was seen, by our clock; what the Kiosk tells of its
stages stands in the attributes.

A worker tells of its own jobs; so ``--otel`` must be given to workers, and a master tells of none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kiosk_locust.model.job_metrics import Measures
from kiosk_locust.model.ports import JobObserver
from kiosk_locust.model.record import Outcome, Record
from kiosk_locust.model.time_bounds import End
from kiosk_locust.monitoring import otel

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_NS = 1_000_000_000
_LONGEST = 200  # characters of a reason


class Part(NamedTuple):
    """A child of a job's span; times in epoch seconds."""

    name: str
    began_at: float
    ended_at: float
    attributes: Mapping[str, str | int | float]


def parts(record: Record, ended: End | None) -> Iterator[Part]:
    """The children of a closed job's span, in order."""
    if record.upload is not None:
        size: Mapping[str, int] = {"kiosk.bytes": record.upload.size}
        yield Part("upload", record.upload.began_at, record.upload.ended_at, size)
    for attempt in record.attempts:
        ended_at = attempt.received_at or attempt.sent_at or attempt.asked_at
        told: dict[str, str | int | float] = {"kiosk.attempt": attempt.result.value}
        if attempt.http_status is not None:
            told["http.response.status_code"] = attempt.http_status
        yield Part("submit", attempt.asked_at, ended_at, told)
    limit_at = _end(record, ended, -math.inf)  # a poll saw the final status later
    for change, following in itertools.zip_longest(record.changes, record.changes[1:]):
        began_at = min(change.observed_at, limit_at)
        ended_at = limit_at if following is None else min(following.observed_at, limit_at)
        yield Part(f"status {change.status}", began_at, ended_at, {})


def attributes(record: Record, measures: Measures) -> dict[str, str | int | float | bool]:
    """What a job's span says of it; nothing of the Kiosk's but what is bounded."""
    told: dict[str, str | int | float | bool] = {
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
        told["kiosk.duration_s"] = measures.duration_s
    if measures.since_due_s is not None:
        told["kiosk.duration_from_due_s"] = measures.since_due_s
    if (delay_s := _polling_delay_s(record, measures.end)) is not None:
        told["kiosk.polling_delay_s"] = delay_s
    for stage, times in measures.stages.items():
        told[f"kiosk.stage.{stage}_s"] = sum(times)
    return told


class Spans(JobObserver):
    """Gives ``tracer`` the spans of jobs that are closed."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def start(self) -> None:
        """Count what is exported from now on."""
        otel.DELIVERY.count()

    def stop(self) -> None:
        """Export what is left."""
        otel.flush()

    def on_closed(self, record: Record, measures: Measures) -> None:
        """A ticket is closed; one that nothing was sent for has no span."""
        from opentelemetry import trace  # noqa: PLC0415  an extra, which is there by now
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
        within = trace.set_span_in_context(span)
        for part in children:
            child: Span = self._tracer.start_span(
                part.name, within, attributes=part.attributes, start_time=_ns(part.began_at)
            )
            child.end(_ns(part.ended_at))
        ended_at = _end(record, measures.end, began_at)
        span.end(_ns(max(ended_at, *(part.ended_at for part in children))))


def spans_if_on(parsed_options: Any) -> Spans | None:
    """What makes spans where Locust was told to; None where not, or where the extra is missing."""
    if not getattr(parsed_options, "otel", False):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415  an extra: kiosk-locust[otel]
    except ImportError:
        return None  # Locust has said so
    return Spans(trace.get_tracer(otel.SCOPE))


def _polling_delay_s(record: Record, ended: End | None) -> float | None:
    """From a job's end to the answer of the poll that saw it; None where polls alone tell."""
    if ended is None or ended.source == "observed" or record.observed_at is None:
        return None
    return record.observed_at - ended.moment.at


def _end(record: Record, ended: End | None, otherwise: float) -> float:
    """When a job ended; of one that did not, when it was closed."""
    if ended is not None:
        return max(otherwise, ended.moment.at)
    ends = (record.observed_at, record.closed_at)
    return max([otherwise, *(at for at in ends if at is not None)])


def _ns(at: float) -> int:
    return int(at * _NS)
