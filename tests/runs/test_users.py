"""What a locustfile can do: its own classes, shapes and listeners, and the keys of a terminal."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import QUICK, Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import RawServer, answering, json_answer

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILES = Path(__file__).parents[1] / "locustfiles"
QUICKLY = ("-r", "50")


@pytest.fixture
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


def run(folder: Path, name: str, *arguments: str, **settings: Any) -> Finished:
    return run_locust(folder, *arguments, locustfile=LOCUSTFILES / f"{name}.py", **settings)


def most_in_flight(finished: Finished) -> int:
    """The most jobs that were submitted and not closed at any moment."""
    ends = finished.sql("SELECT submitted_at, closed_at FROM tickets")
    steps = sorted([(begun, 1) for begun, _ in ends] + [(ended, -1) for _, ended in ends])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


# -- classes


def test_classes_share_the_tickets_by_their_weights(kiosk: Simulator, tmp_path: Path) -> None:
    finished = run(tmp_path, "two_kinds", "-u", "40", *QUICKLY, host=kiosk.url)
    asked = Counter(
        (s["body"]["jobType"], s["body"]["jobForm"]["selectedChannels"]) for s in kiosk.submissions
    )
    assert (finished.code, finished.outcomes) == (0, {"done": 40}), finished.output
    assert asked == {("segmentation", "0,,"): 30, ("mesmer", "0,1"): 10}
    classes = finished.sql("SELECT user_class, count(*) FROM tickets GROUP BY 1 ORDER BY 1")
    assert classes == [("Mesmer", 10), ("Plain", 30)]


def test_a_class_that_locust_did_not_spawn_has_its_tickets_all_the_same(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, "two_kinds", "-u", "1", "--count", "8", host=kiosk.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 8}), finished.output
    asked = Counter(s["body"]["jobType"] for s in kiosk.submissions)
    assert asked == {"segmentation": 6, "mesmer": 2}


def test_a_job_type_that_only_one_class_asks_for_is_checked_before_the_start(
    tmp_path: Path,
) -> None:
    with simulator("--job-types=segmentation,polaris") as kiosk:
        finished = run(tmp_path, "two_kinds", "-u", "8", host=kiosk.url)
        assert kiosk.submissions == []
    assert finished.code == 2
    assert "JOB_TYPE 'mesmer'" in finished.output


def test_a_class_can_ask_for_another_file_at_each_ticket(kiosk: Simulator, tmp_path: Path) -> None:
    finished = run(tmp_path, "by_number", "-u", "25", *QUICKLY, host=kiosk.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 25}), finished.output
    asked = [s["body"]["uploadedName"] for s in kiosk.submissions]
    assert asked == [f"uploads/{number:03}.tif" for number in range(25)]


def test_a_class_whose_request_raises_closes_its_tickets_as_errors(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, "raising_request", "-u", "20", *QUICKLY, host=kiosk.url)
    assert finished.code == 2, finished.output
    assert finished.outcomes["done"] + finished.outcomes["error"] == 20
    assert finished.outcomes["done"] == len(kiosk.submissions) > 0
    reasons = {job["reason"] for job in finished.jobs if job["outcome"] == "error"}
    assert reasons == {"Broken.request raised KeyError('the list of files ended')"}


def test_jobs_run_beside_users_of_another_site(kiosk: Simulator, tmp_path: Path) -> None:
    with RawServer(answering(json_answer({}))) as visited:
        arguments = ("-u", "12", "--count", "10")
        finished = run(
            tmp_path, "beside_http", *arguments, *QUICKLY, host=kiosk.url, VISITED=visited.url
        )
        paths = {request.path for request in visited.requests}
    assert (finished.code, finished.outcomes) == (0, {"done": 10}), finished.output
    assert len(kiosk.submissions) == 10
    assert paths == {"/visited", "/visited-fast"}


def test_the_host_of_another_class_is_not_the_kiosks(tmp_path: Path) -> None:
    with RawServer(answering(json_answer({}))) as visited:
        settings = {"VISITED": visited.url, "KIOSK_SIMULATOR_ARGS": " ".join(QUICK)}
        finished = run(tmp_path, "beside_http", "-u", "3", "--count", "2", **settings)
    assert (finished.code, finished.outcomes) == (0, {"done": 2}), finished.output
    assert all(found["simulated"] for found in finished.results)


# -- how many may be in flight


def test_a_shape_changes_how_many_are_in_flight_not_how_many_there_are(tmp_path: Path) -> None:
    with simulator("--predict-s=0.5") as kiosk:
        arguments = ("--count", "50", "--workload", "closed", "--start-delay", "0")
        finished = run(tmp_path, "up_and_down", *arguments, host=kiosk.url)
        assert len(kiosk.submissions) == 50
    assert (finished.code, finished.outcomes) == (0, {"done": 50}), finished.output
    assert most_in_flight(finished) == 20


def test_the_keys_w_and_s_change_how_many_are_in_flight(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        with simulator("--predict-s=0.4") as kiosk:
            arguments = ("-u", "2", "--count", "30", "--start-delay", "0")
            locust = Locust(tmp_path, *arguments, host=kiosk.url, stdin=slave)
            wait_until(lambda: len(kiosk.submissions) >= 2, what="2 submissions")
            os.write(master, b"W")
            wait_until(lambda: jobs_in_flight(locust) == 12, what="12 jobs in flight")
            os.write(master, b"s")
            wait_until(lambda: jobs_in_flight(locust) == 11, what="11 jobs in flight")
            finished = locust.finish()
            assert len(kiosk.submissions) == 30
    finally:
        os.close(master)
        os.close(slave)
    assert (finished.code, finished.outcomes) == (0, {"done": 30}), finished.output


def jobs_in_flight(locust: Locust) -> int:
    (path,) = locust.folder.glob("results/*.db")
    with closing(sqlite3.connect(path)) as ledger:
        query = "SELECT count(*) FROM tickets WHERE state = 'submitted'"
        (count,) = ledger.execute(query).fetchone()
    return int(count)


# -- listeners


def test_a_users_listener_is_told_of_every_job_though_another_one_raises(
    kiosk: Simulator, tmp_path: Path
) -> None:
    finished = run(tmp_path, "listeners", "-u", "15", *QUICKLY, host=kiosk.url)
    assert (finished.code, finished.outcomes) == (0, {"done": 15}), finished.output
    told = (tmp_path / "told.txt").read_text().splitlines()
    assert sorted(told) == sorted(f"{job['job_id']} done" for job in finished.jobs)
    assert "RuntimeError: not my day" in finished.output
    assert finished.output.count("a listener of job_closed raised: raise_something") == 15


def test_an_observer_that_raises_ends_the_run_and_loses_no_record(tmp_path: Path) -> None:
    with simulator("--predict-s=0.5") as kiosk:
        finished = run(tmp_path, "loses_count", "-u", "200", "-r", "20", host=kiosk.url)
        submitted = {s["hash"] for s in kiosk.submissions}
    assert finished.code == 2
    assert "exit code 2: lost count" in finished.output.splitlines()[-1]
    recorded = {job["job_id"]: job["outcome"] for job in finished.jobs if job["job_id"]}
    assert set(recorded) == submitted
    assert len(finished.jobs) == 200
    assert finished.outcomes["done"] >= 10


# -- Locust's own statistics


def test_jobs_and_stages_stand_beside_http_in_locusts_statistics(tmp_path: Path) -> None:
    with simulator("--failure-rate=0.3") as kiosk:
        finished = run_locust(tmp_path, "-u", "30", *QUICKLY, "--csv", "out", host=kiosk.url)
        received = kiosk.requests
    failed = finished.outcomes["failed"]
    assert 0 < failed < 30
    rows = {(row["Type"], row["Name"]): row for row in read_csv(tmp_path / "out_stats.csv")}
    jobs = rows["JOB", "segmentation"]
    assert (jobs["Request Count"], jobs["Failure Count"]) == ("30", str(failed))
    predicted = [job for job in finished.jobs if job["prediction_time"] is not None]
    assert rows["STAGE", "predict"]["Request Count"] == str(len(predicted))
    for path in ("/api/predict", "/api/redis", "/api/redis/expire"):
        assert rows["POST", path]["Request Count"] == str(received[f"POST {path}"])
    http = [int(rows[key]["Request Count"]) for key in rows if key[0] in ("GET", "POST")]
    assert rows["", "Aggregated"]["Request Count"] == str(sum(http))
    assert rows["", "Aggregated"]["Failure Count"] == "0"
    failures = read_csv(tmp_path / "out_failures.csv")
    assert [(row["Method"], row["Name"]) for row in failures] == [("JOB", "segmentation")]
    last_lines = {job["reason"].strip().splitlines()[-1] for job in finished.jobs if job["reason"]}
    assert len(last_lines) == 1
    (last_line,) = last_lines
    assert last_line.split(":")[0] in failures[0]["Error"]
    assert "Traceback" not in failures[0]["Error"]
    assert failures[0]["Occurrences"] == str(failed)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
