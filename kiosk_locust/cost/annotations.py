"""A run as a region on Grafana's dashboards.

https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_locust.cost.http import Web


@dataclass(frozen=True, slots=True)
class RunNote:
    """What an annotation tells of a run; times in epoch seconds."""

    start_at: float
    end_at: float
    run_id: str
    run_name: str
    job_type: str
    outcome: str  # done | failed | interrupted
    told: str  # a sentence for people


def annotate(web: Web, note: RunNote) -> None:
    """Make one annotation of the organization, from the run's start to its end; CostError."""
    web.post(
        "/api/annotations",
        {
            "time": round(note.start_at * 1000),
            "timeEnd": round(note.end_at * 1000),
            "tags": ["kiosk", note.run_id, note.job_type, note.outcome],
            "text": f"{note.run_name}: {note.told}",
        },
    )
