"""What is told of a run that was stopped or resumed, beside what the Kiosk received."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.helpers.real import Locust, Simulator, run_locust, simulator, wait_until
from tests.reporting.test_results_json import SCHEMA
from tests.runs.test_webui import WebUi

pytestmark = pytest.mark.proof  # scripts/proof runs it


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator("--predict-s=0.5") as found:
        yield found


def test_after_stop_no_job_is_closed_that_the_kiosk_never_received(
    kiosk: Simulator, tmp_path: Path
) -> None:
    before = len(kiosk.submissions)
    web = WebUi(tmp_path, host=kiosk.url, COUNT="400", START_DELAY="0.05")
    try:
        web.start("halted", users=40)
        wait_until(lambda: len(kiosk.submissions) >= before + 20, what="20 submissions")
        web.stop()
        web.written("halted")
        made = len(kiosk.submissions) - before
        page = web.get("/kiosk/data.json").json()
        assert (page["submitted"], page["closed"], page["never_begun"]) == (made, made, 400 - made)
        assert page["outcomes"] == {"done": made}
        assert f"{400 - made:,} of 400 jobs were never begun" in page["verdict"]
        past = web.get("/kiosk/runs/halted/data.json").json()
        assert (past["closed"], past["never_begun"]) == (made, 400 - made)
        told = web.get("/stats/requests").json()["extended_stats"][0]["data"]
        rows = {row["what"]: row["jobs"] for row in told}
        assert (rows["Closed"], rows["Never begun"]) == (f"{made} of 400", f"{400 - made}")
        assert "Closed as unfinished" not in rows
    finally:
        web.signal(signal.SIGINT)
        web.finish()


def test_a_signal_ends_a_run_of_which_most_was_never_begun(
    kiosk: Simulator, tmp_path: Path
) -> None:
    before = len(kiosk.submissions)
    run = Locust(tmp_path, "-u", "40", "-r", "20", "--count", "300", "-s", "5", host=kiosk.url)
    wait_until(lambda: len(kiosk.submissions) >= before + 10, what="10 submissions")
    run.signal(signal.SIGINT)
    finished = run.finish()
    made = len(kiosk.submissions) - before
    assert f"300: {made} done, {300 - made} never begun" in finished.output
    assert f"{made} of 300 jobs closed, {300 - made} never begun" in finished.output
    assert f"{300 - made} of 300 jobs were never begun" in finished.output


def test_a_resumed_run_tells_its_pause_by_the_time_that_it_took(
    kiosk: Simulator, tmp_path: Path
) -> None:
    before = len(kiosk.submissions)
    plan = ("-u", "30", "-r", "10", "--count", "40")
    run = Locust(tmp_path, *plan, host=kiosk.url)
    wait_until(lambda: len(kiosk.submissions) >= before + 10, what="10 submissions")
    run.signal(signal.SIGKILL)
    run.process.wait()
    died_at = time.time()
    time.sleep(4.0)
    resumed_at = time.time()
    finished = run_locust(tmp_path, "--resume", "latest", host=kiosk.url)
    (found,) = finished.results
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    pauses = found["summary"]["pauses"]
    (gap,) = found["gaps"]
    assert died_at - 1.0 <= gap["from"] <= died_at + 0.1
    assert resumed_at <= gap["to"]
    assert gap["ended_by"] == "the process died"
    assert pauses["count"] == 1
    assert pauses["seconds"] == pytest.approx(gap["seconds"])
    assert pauses["makespan_s"] == pytest.approx(found["summary"]["makespan_s"] - gap["seconds"])
    lines = finished.output.splitlines()
    assert re.search(
        r"pause +[0-9.]+ s, from .* after the first due time on \(the process died\)",
        "\n".join(lines),
    )
    assert "the run was interrupted once (the process died)" in finished.output.splitlines()[-1]
    assert "warning: the run was interrupted once" in finished.output


def test_an_embedded_simulated_run_offers_no_resume(tmp_path: Path) -> None:
    run = Locust(tmp_path, "-u", "20", "-r", "10", "--count", "200", "-s", "0")
    wait_until(lambda: list(tmp_path.glob("results/*.db")), what="the ledger")
    wait_until(lambda: "closed" in run.output, timeout_s=40.0, what="a line of progress")
    run.signal(signal.SIGINT)
    finished = run.finish()
    assert finished.code == 2
    assert "never begun" in finished.output
    assert "resume" not in finished.output.lower()
    (report,) = tmp_path.glob("results/*.html")
    data = re.search(r'id="picture">(.*?)</script>', report.read_text("utf-8"), re.DOTALL)
    assert data
    assert "--resume" not in data[1]
