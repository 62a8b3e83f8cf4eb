"""Grafana annotations that mark a run as a region on dashboards.

https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.cost.http import JsonClient


@dataclass(frozen=True, slots=True)
class RunNote:
    """Content of a run's annotation; times in epoch seconds."""

    start_at: float
    end_at: float
    run_id: str
    run_name: str
    job_type: str
    outcome: str  # done | failed | interrupted
    summary: str  # one sentence about the run's result


def annotate(web: JsonClient, note: RunNote) -> None:
    """Create one organization-wide annotation from the run's start to its end.

    Raises:
        CostError: Grafana cannot be reached, or refuses the annotation.

    """
    web.post(
        "/api/annotations",
        {
            "time": round(note.start_at * 1000),
            "timeEnd": round(note.end_at * 1000),
            "tags": ["kiosk", note.run_id, note.job_type, note.outcome],
            "text": f"{note.run_name}: {note.summary}",
        },
    )
