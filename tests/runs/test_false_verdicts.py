"""Runs in which something went wrong that is no fault of the measurement, or not the one it seems.

What happened is made by the test: a slow answer, a port that refuses, a process that is stopped.
"""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.helpers import real
from tests.helpers.proxies import Proxy
from tests.helpers.real import Finished, simulator, wait_until

pytestmark = pytest.mark.proof  # scripts/proof runs it

run_locust = partial(real.run_locust, judged=True)
Locust = partial(real.Locust, judged=True)


def reasons(finished: Finished) -> dict[str, str]:
    """The sentence of each rule that made a run invalid, by its results."""
    (found,) = finished.results
    return {reason["rule"]: reason["why"] for reason in found["verdict"]["reasons"]}


def warnings(finished: Finished) -> str:
    return "; ".join(finished.results[0]["verdict"]["warnings"])


def test_a_slow_answer_before_the_first_job_is_no_silence_of_the_run(tmp_path: Path) -> None:
    with simulator("--models=a:1", "--fault", "GET /api/models latency=2") as kiosk:
        found = run_locust(tmp_path, "-u", "10", host=kiosk.url, MODEL="a:1", MAX_SILENCE="1s")
        assert kiosk.requests["GET /api/models"] == 1
    assert reasons(found) == {}
    assert found.code == 0, found.output
    assert found.results[0]["generator"]["processes"]["run"]["silence_s"] < 1


def test_a_kiosk_that_refuses_connections_is_told_of_and_nothing_else_is_blamed(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk, Proxy(urlsplit(kiosk.url).port or 0) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        run = Locust(tmp_path, "-u", "60", "-r", "10", host=url)
        wait_until(lambda: len(kiosk.submissions) >= 15)
        proxy.refuse()
        proxy.drop()
        time.sleep(3)  # how long it refuses
        proxy.accept()
        found = run.finish()
        assert len(kiosk.submissions) == 60
    late = [job for job in found.jobs if len(job["attempts"]) > 1]
    assert len(late) > 10
    assert {"submission-lag", "achieved-rate", "waited-for-user"}.isdisjoint(reasons(found))
    assert found.code == 0, found.output
    assert "submissions were refused or not taken" in warnings(found)
    assert "--processes" not in found.output


def test_jobs_that_were_never_begun_are_not_said_to_have_an_unknown_end(tmp_path: Path) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "40", "--count", "400", "-r", "10", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 15)
        run.signal(signal.SIGINT)
        found = run.finish()
        begun = len(kiosk.submissions)
    why = reasons(found)["undecided"]
    assert f"{400 - begun} were never begun" in why
    assert "SIGINT" in why
    assert "--resume" in why
    assert "not known" not in why


def test_a_process_that_was_stopped_does_not_blame_the_kiosk(tmp_path: Path) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "60", "-r", "10", host=kiosk.url, MAX_SILENCE="1s")
        wait_until(lambda: len(kiosk.submissions) >= 15)
        run.signal(signal.SIGSTOP)
        time.sleep(3)  # how long it is stopped
        run.signal(signal.SIGCONT)
        found = run.finish()
    assert "silence" not in reasons(found)
    assert "stood still for" in reasons(found)["event-loop"]
    assert "Take long work" not in reasons(found)["event-loop"]


def test_the_pause_of_a_resumed_run_is_no_part_of_what_is_judged(tmp_path: Path) -> None:
    with simulator("--predict-s=1") as kiosk:
        run = Locust(
            tmp_path, "-u", "60", "-r", "10", "--stop-timeout", "0s", host=kiosk.url,
            MAX_SILENCE="2s",
        )  # fmt: skip
        wait_until(lambda: len(kiosk.submissions) >= 20)
        run.signal(signal.SIGINT)
        run.finish()
        time.sleep(3)  # how long nobody works on it
        found = run_locust(tmp_path, "--resume", "latest", host=kiosk.url, MAX_SILENCE="2s")
    assert found.outcomes == {"done": 60}
    rules = {"submission-lag", "achieved-rate", "waited-for-user", "silence", "undecided"}
    assert rules.isdisjoint(reasons(found)), reasons(found)
