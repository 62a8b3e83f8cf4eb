"""The Kiosk tab on Locust's front page: rows of the one table that a Locust tab can have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from locust.web import WebUI

from kiosk_locust.formatting import units
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.labels import LABELS
from kiosk_locust.reporting.web.pages import PageSource
from kiosk_locust.reporting.web.view_model import Picture

KEY = "kiosk"
#: Locust sorts by ``name``, which is no column: it keeps the rows in this order.
_STRUCTURE = (
    ("what", "What"),
    ("jobs", "Count"),
    ("median", "Median"),
    ("p95", "95 %"),
    ("p99", "99 %"),
    ("told", "Details"),
)
#: Latest failures in the tab.
FAILURES = 10

Row = dict[str, str | int]


def add(web_ui: WebUI, source: PageSource) -> None:
    """Add the tab to the page, and its rows to the data that the page fetches every 2 s."""
    if web_ui.app is None:
        return
    web_ui.template_args.update(
        extended_tabs=[{"title": "Kiosk", "key": KEY}],
        extended_tables=[
            {"key": KEY, "structure": [{"key": key, "title": title} for key, title in _STRUCTURE]}
        ],
        extended_csv_files=[
            {"href": "./kiosk/jobs.csv", "title": "Download all Kiosk jobs as CSV"},
            {"href": "./kiosk", "title": "Open the Kiosk's live page"},
            {"href": "./kiosk/runs", "title": "Open the list of all Kiosk runs"},
        ],
    )

    def after_request(answer: Response) -> Response:
        is_stats_request = request.endpoint == "locust.request_stats" and answer.status_code == 200
        if is_stats_request and answer.is_json:  # not a login page
            document = answer.get_json()
            document["extended_stats"] = [{"key": KEY, "data": rows(source)}]
            if (runner := web_ui.environment.runner) is not None and "state" in document:
                # Locust 2.47 may answer with a state of up to 2 s ago, and its page stops polling
                # once it reads "stopped": after a new start it would show the old run forever.
                document["state"] = runner.state
            answer.set_data(json.dumps(document))
        return answer

    web_ui.app.after_request(after_request)


def rows(source: PageSource) -> list[Row]:
    """Rows of the tab, in display order."""
    table: list[dict[str, str]] = []
    if source.refusal:
        table.append({"what": "The run did not start", "told": source.refusal})
    elif source.current is None:
        table.append({"what": "No run was started yet"})
    else:
        table += _of(source.current.picture())
    blank = {key: "" for key, _ in _STRUCTURE}
    return [{"name": f"{number:03}", **blank, **row} for number, row in enumerate(table)]


def _of(picture: Picture) -> Iterator[dict[str, str]]:
    if picture.simulated:
        yield {"what": "SIMULATED", "told": "these jobs run on the simulated Kiosk"}
    yield {"what": "Run", "told": picture.run_name}
    total_text = "" if picture.total is None else f" of {picture.total:,}"
    yield {"what": "Closed", "jobs": f"{picture.closed:,}{total_text}", "told": _progress(picture)}
    if picture.never_begun:
        yield {"what": "Never begun", "jobs": f"{picture.never_begun:,}"}
    for status, number in sorted(picture.statuses.items(), key=lambda item: -item[1]):
        yield {"what": f"In flight: {status}", "jobs": f"{number:,}"}
    for outcome, number in picture.outcomes.items():
        yield {"what": f"Closed as {outcome}", "jobs": f"{number:,}"}
    for name, label in LABELS.items():
        percentiles = picture.percentiles_s.get(name)
        if percentiles is not None and percentiles.count:
            yield _times(label, percentiles)
    for problem in picture.problems:
        yield {"what": "Wrong with the measurement", "told": problem}
    for failure in picture.failures[:FAILURES]:
        description = f"{failure.outcome}: {failure.reason}"
        failure_kind = "Not ended" if failure.outcome == Outcome.UNFINISHED else "Failed"
        yield {
            "what": f"{failure_kind}: job {failure.number} of cycle {failure.cycle}",
            "told": description,
        }


def _progress(picture: Picture) -> str:
    state: str = picture.state
    if state == "ending":
        activity = (
            "jobs in flight may still end" if picture.in_flight else "files are being written"
        )
        state = f"{state}; {activity}"
    parts = [picture.verdict or state]
    if picture.rate_per_s is not None and picture.state == "running":
        parts.append(units.rate(picture.rate_per_s, "jobs"))
        if picture.left_s:
            parts.append(f"{units.about(picture.left_s)} left")
    return ", ".join(parts)


def _times(label: str, percentiles: Percentiles) -> dict[str, Any]:
    return {
        "what": f"Time: {label}",
        "jobs": f"{percentiles.count:,}",
        "median": units.seconds(percentiles.p50),
        "p95": units.seconds(percentiles.p95),
        "p99": units.seconds(percentiles.p99),
    }
