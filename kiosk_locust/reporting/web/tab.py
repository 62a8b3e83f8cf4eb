"""The Kiosk tab on Locust's front page: rows for the one table that a tab there can have."""

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
#: Locust sorts by ``name``, which is no column: it keeps the rows in our order.
_STRUCTURE = (
    ("what", "What"),
    ("jobs", "Count"),
    ("median", "Median"),
    ("p95", "95 %"),
    ("p99", "99 %"),
    ("told", "Details"),
)
#: So many of the last failures stand in the tab.
FAILURES = 10

Row = dict[str, str | int]


def add(web_ui: WebUI, source: PageSource) -> None:
    """Put the tab on the page, and its rows into what the page asks for every 2 s."""
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
        is_asked = request.endpoint == "locust.request_stats" and answer.status_code == 200
        if is_asked and answer.is_json:  # not the page of a login
            told = answer.get_json()
            told["extended_stats"] = [{"key": KEY, "data": rows(source)}]
            if (runner := web_ui.environment.runner) is not None and "state" in told:
                # Locust 2.47 gives an answer of up to 2 s ago, and its page asks no more once it
                # reads "stopped": after a new start it would show the old run for ever.
                told["state"] = runner.state
            answer.set_data(json.dumps(told))
        return answer

    web_ui.app.after_request(after_request)


def rows(source: PageSource) -> list[Row]:
    """The rows, in the order in which they are shown."""
    found: list[dict[str, str]] = []
    if source.refusal:
        found.append({"what": "The run did not start", "told": source.refusal})
    elif source.current is None:
        found.append({"what": "No run was started yet"})
    else:
        found += _of(source.current.picture())
    blank = {key: "" for key, _ in _STRUCTURE}
    return [{"name": f"{number:03}", **blank, **row} for number, row in enumerate(found)]


def _of(picture: Picture) -> Iterator[dict[str, str]]:
    if picture.simulated:
        yield {"what": "SIMULATED", "told": "these jobs run on the simulated Kiosk"}
    yield {"what": "Run", "told": picture.run_name}
    of = "" if picture.total is None else f" of {picture.total:,}"
    yield {"what": "Closed", "jobs": f"{picture.closed:,}{of}", "told": _progress(picture)}
    if picture.never_begun:
        yield {"what": "Never begun", "jobs": f"{picture.never_begun:,}"}
    for status, number in sorted(picture.statuses.items(), key=lambda item: -item[1]):
        yield {"what": f"In flight: {status}", "jobs": f"{number:,}"}
    for outcome, number in picture.outcomes.items():
        yield {"what": f"Closed as {outcome}", "jobs": f"{number:,}"}
    for name, label in LABELS.items():
        found = picture.percentiles_s.get(name)
        if found is not None and found.count:
            yield _times(label, found)
    for problem in picture.problems:
        yield {"what": "Wrong with the measurement", "told": problem}
    for failure in picture.failures[:FAILURES]:
        told = f"{failure.outcome}: {failure.reason}"
        what = "Not ended" if failure.outcome == Outcome.UNFINISHED else "Failed"
        yield {"what": f"{what}: job {failure.number} of cycle {failure.cycle}", "told": told}


def _progress(picture: Picture) -> str:
    state: str = picture.state
    if state == "ending":
        what = "jobs in flight may still end" if picture.in_flight else "files are being written"
        state = f"{state}; {what}"
    parts = [picture.verdict or state]
    if picture.rate_per_s is not None and picture.state == "running":
        parts.append(units.rate(picture.rate_per_s, "jobs"))
        if picture.left_s:
            parts.append(f"{units.about(picture.left_s)} left")
    return ", ".join(parts)


def _times(label: str, found: Percentiles) -> dict[str, Any]:
    return {
        "what": f"Time: {label}",
        "jobs": f"{found.count:,}",
        "median": units.seconds(found.p50),
        "p95": units.seconds(found.p95),
        "p99": units.seconds(found.p99),
    }
