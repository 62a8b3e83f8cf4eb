"""Locust's request event, as its listeners see it: compared with what the server received."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import HTTPError

from kiosk_locust.client.exchange import Exchange, RequestSample
from kiosk_locust.errors import Unreachable
from kiosk_locust.plugin.request_event import response_of
from tests.helpers.real import Finished, Simulator, run_locust, simulator

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILE = Path(__file__).parents[1] / "locustfiles" / "requests_told.py"


@pytest.fixture
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def run(folder: Path, kiosk: Simulator, listener: str, *arguments: str) -> Finished:
    """A run of 12 jobs with 6 users."""
    asked = ("-u", "6", "-r", "20", "--count", "12", "--json-file", "stats", *arguments)
    return run_locust(folder, *asked, locustfile=LOCUSTFILE, host=kiosk.url, LISTENER=listener)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def posts(kiosk: Simulator) -> dict[str, int]:
    """The requests of jobs that the server received; looks before the start are not all told."""
    return {name: n for name, n in kiosk.requests.items() if name.startswith("POST /api/")}


def test_the_listener_of_locusts_documentation_is_told_of_every_request(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, kiosk, "documented")
    assert (finished.code, finished.outcomes) == (0, {"done": 12}), finished.output
    assert "raised" not in finished.output
    told = rows(tmp_path / "told.csv")
    counted = Counter(f"{row[0]} {row[1]}" for row in told if row[0] == "POST")
    assert counted == posts(kiosk)
    assert {(row[3], row[10]) for row in told} == {("200", "True")}
    assert all(row[2] == row[4] for row in told)  # the length, and that of the text
    assert all(row[5] for row in told)  # a header that the server sent
    assert {row[6] for row in told} == {row[11] for row in told}
    assert {row[6] for row in told} == {kiosk.url + row[1] for row in told}
    assert {row[8] for row in told if row[1] == "/api/predict"} == {"Kiosk"}


def test_locusts_csv_logger_writes_the_statuses_that_the_server_sent(tmp_path: Path) -> None:
    with simulator("--fault", "POST /api/predict status=503 rate=0.4") as kiosk:
        finished = run(tmp_path, kiosk, "csv")
        refused = kiosk.requests["POST /api/predict"] - 12
    assert finished.outcomes == {"done": 12}, finished.output
    header, *told = rows(tmp_path / "requests.csv")
    status = header.index("status_code")
    predicts = Counter(row[status] for row in told if row[2] == "/api/predict")
    assert predicts == {"200": 12, "503": refused}
    assert {row[status] for row in told if row[2] != "/api/predict"} == {"200"}


@pytest.mark.parametrize(
    "raised", ["RescheduleTask", "RescheduleTaskImmediately", "InterruptTaskSet"]
)
def test_what_leaves_a_task_leaves_no_job(kiosk: Simulator, tmp_path: Path, raised: str) -> None:
    finished = run(tmp_path, kiosk, raised)
    assert (finished.code, finished.outcomes) == (0, {"done": 12}), finished.output
    assert len(kiosk.submissions) == 12
    assert f"raise_it, a listener of request, raised {raised}" in finished.output


def test_stop_user_ends_those_users_alone_after_their_jobs(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, kiosk, "StopUser")
    assert (finished.code, finished.outcomes) == (0, {"done": 12}), finished.output
    assert len(kiosk.submissions) == 12
    stopped = [int(line) for line in (tmp_path / "stopped").read_text().splitlines()]
    assert len(stopped) == 6  # each user in the end
    assert sum(calls < max(stopped) for calls in stopped) >= 3  # but three of them before


def test_statistics_count_every_request_whatever_listeners_raise(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, kiosk, "StopUser")
    stats = json.loads((tmp_path / "stats.json").read_text())
    counted = {
        f"{row['method']} {row['name']}": row["num_requests"]
        for row in stats
        if row["method"] == "POST"
    }
    assert finished.code == 0, finished.output
    assert counted == posts(kiosk)


# -- the response


def sample(exchange: Exchange | None, error: Exception | None = None) -> RequestSample:
    return RequestSample("POST", "/api/status", 0.25, 5, error, 1.0, 0.0, "http://k:1/p", exchange)


def exchange(status: int, body: bytes = b'{"a":1}', **headers: str) -> Exchange:
    return Exchange("POST", "/api/status", status, headers, body, 0.0, 1.0, 1.0, 1.25)


def test_a_response_is_one_of_requests() -> None:
    response = response_of(sample(exchange(200, server="x")))
    facts: tuple[Any, ...] = (response.status_code, response.json(), response.ok, response.reason)
    assert facts == (200, {"a": 1}, True, "OK")
    assert response.url == response.request.url == "http://k:1/p/api/status"
    assert (response.headers["Server"], response.elapsed.total_seconds()) == ("x", 0.25)


def test_an_error_status_is_raised_as_requests_does() -> None:
    with pytest.raises(HTTPError, match="503 Server Error: Service Unavailable for url: http://k"):
        response_of(sample(exchange(503))).raise_for_status()


def test_without_an_answer_the_status_is_0_and_there_is_no_text() -> None:
    response = response_of(sample(None, Unreachable("refused")))
    assert (response.status_code, response.text, dict(response.headers)) == (0, "", {})
