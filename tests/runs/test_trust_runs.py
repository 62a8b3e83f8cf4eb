"""Runs that are made sick on purpose: the verdict says of each what ails it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kiosk_locust.verdict.rules import RULES
from tests.helpers import real
from tests.helpers.real import ROOT, Finished, simulator, wait_until
from tests.helpers.servers import free_port

pytestmark = pytest.mark.proof  # scripts/proof runs it

BUSY = ROOT / "tests" / "locustfiles" / "busy_loop.py"


run_locust = partial(real.run_locust, judged=True)
Locust = partial(real.Locust, judged=True)


def reasons(finished: Finished) -> set[str]:
    """The rules that made a run invalid, by its results."""
    return {reason["rule"] for reason in verdict(finished)["reasons"]}


def verdict(finished: Finished) -> dict[str, Any]:
    (found,) = finished.results
    return dict(found["verdict"])


def is_told(finished: Finished, words: str) -> bool:
    """Whether the closing table says so, with the option that sets the limit."""
    return re.search(rf"INVALID: .*{words}.*\(limit: --max-", finished.output) is not None


@pytest.mark.parametrize("arguments", [("-u", "1"), ("-u", "20"), ("-u", "20", "-r", "1000")])
def test_a_healthy_run_is_valid_and_succeeds(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with simulator() as kiosk:
        found = run_locust(tmp_path, *arguments, host=kiosk.url)
    assert (verdict(found)["verdict"], found.code) == ("VALID", 0), found.output
    judged = len(RULES) - len(verdict(found)["unjudged"])
    assert verdict(found)["checks"] == judged >= 8
    assert f"VALID: all {judged} checks passed" in found.output
    (process,) = found.results[0]["generator"]["processes"].values()
    assert process["requests"] >= len(found.jobs)
    assert process["memory_bytes"] > 10_000_000
    assert 0 < process["cpu_share"] < 1


def test_a_busy_loop_in_the_process_is_found(tmp_path: Path) -> None:
    with simulator() as kiosk:
        found = run_locust(tmp_path, "-u", "12", "-r", "10", host=kiosk.url, locustfile=BUSY)
    assert found.code == 2
    assert "event-loop" in reasons(found)
    assert is_told(found, "this program ran late")


def test_too_few_users_are_found_and_warned_of_while_the_run_goes_on(tmp_path: Path) -> None:
    with simulator() as kiosk:
        found = run_locust(
            tmp_path, "-u", "2", "--count", "24", "-r", "50", "--workload", "open", host=kiosk.url
        )
    assert found.code == 2
    assert "waited-for-user" in reasons(found)
    assert is_told(found, "waited for a free user")
    warning = found.output.index("these numbers cannot be trusted (waited-for-user)")
    assert warning < found.output.index("exit code 2")


def test_a_pool_of_one_socket_is_found(tmp_path: Path) -> None:
    with simulator("--fault", "* /api/* latency=0.1") as kiosk:
        found = run_locust(tmp_path, "-u", "10", host=kiosk.url, CONCURRENT_REQUESTS_PER_HOST="1")
    assert found.code == 2
    assert "socket-wait" in reasons(found)
    assert is_told(found, "waited for a free socket")


def test_a_server_s_clock_that_is_30_s_off_is_found(tmp_path: Path) -> None:
    with simulator("--frontend-skew-s=30", "--consumer-skew-s=30") as kiosk:
        found = run_locust(tmp_path, "-u", "10", host=kiosk.url)
    assert found.code == 2
    assert reasons(found) == {"clock-offset"}
    assert is_told(found, "ahead of ours")


def test_a_server_that_freezes_is_found(tmp_path: Path) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "30", "-r", "10", host=kiosk.url, MAX_SILENCE="1s")
        wait_until(lambda: len(kiosk.submissions) >= 5)
        os.kill(kiosk.pid, signal.SIGSTOP)
        time.sleep(2.5)  # how long it is frozen
        os.kill(kiosk.pid, signal.SIGCONT)
        found = run.finish()
    assert found.code == 2
    assert "silence" in reasons(found)
    silence_s = found.results[0]["generator"]["processes"]["run"]["silence_s"]
    assert 2.2 < silence_s < 4.5
    assert is_told(found, "answered nothing at all")


def test_a_slow_master_is_found_and_workers_tell_of_themselves(tmp_path: Path) -> None:
    port = str(free_port())
    worker_folder = tmp_path / "worker"
    worker_folder.mkdir()
    with simulator() as kiosk:
        master = Locust(
            tmp_path,
            *("-u", "20", "-r", "10", "--master", "--expect-workers", "1"),
            *("--master-bind-port", port),
            host=kiosk.url,
        )
        worker = Locust(worker_folder, "--worker", "--master-port", port, headless=False)
        wait_until(lambda: len(kiosk.submissions) >= 3, 30)
        os.kill(master.process.pid, signal.SIGSTOP)
        time.sleep(2.5)  # how long it is slow
        os.kill(master.process.pid, signal.SIGCONT)
        found = master.finish()
        worker.finish()
    assert found.code == 2
    assert "master-reply" in reasons(found)
    processes = found.results[0]["generator"]["processes"]
    (name,) = set(processes) - {"master"}
    assert processes[name]["master_reply_p99_s"] > 1
    assert processes[name]["requests"] >= 20


def test_a_missed_threshold_is_exit_code_1_and_stands_in_every_place(tmp_path: Path) -> None:
    with simulator() as kiosk:
        found = run_locust(
            tmp_path,
            *("-u", "10", "--threshold", "job.p50 < 1ms", "--threshold", "failed < 1%"),
            *("--junit-xml", "junit.xml"),
            host=kiosk.url,
        )
    assert found.code == 1, found.output
    rows = {row["threshold"]: row["result"] for row in verdict(found)["thresholds"]}
    assert rows == {"job.p50 < 1ms": "miss", "failed < 1%": "pass"}
    assert re.search(r"exit code 1: job\.p50 < 1ms: miss, measured .* ms", found.output)
    (suite,) = ET.parse(tmp_path / "junit.xml").getroot()
    failures = [case.get("name") for case in suite if case.find("failure") is not None]
    assert failures == ["job.p50 < 1ms"]


def test_failures_that_a_threshold_allows_are_exit_code_0(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.kiosk_locust]\nthresholds = ["failed < 100%", "job.p50 < 1h"]\n'
    )
    with simulator("--failure-rate=0.3") as kiosk:
        found = run_locust(tmp_path, "-u", "20", host=kiosk.url)
    assert found.outcomes["failed"] > 0
    assert (found.code, len(verdict(found)["thresholds"])) == (0, 2), found.output


def test_a_mistake_in_a_threshold_is_shown_with_a_caret_beside_other_mistakes(
    tmp_path: Path,
) -> None:
    found = run_locust(tmp_path, "--threshold", "job.p95 < 60 parsecs", "--update-interval", "x")
    assert found.code == 2
    assert "'parsecs' is no unit for job.p95" in found.output
    assert re.search(r"job\.p95 < 60 parsecs\n +\^\n", found.output)
    assert "--update-interval" in found.output


def test_a_run_ends_when_a_threshold_is_missed_where_that_is_wanted(tmp_path: Path) -> None:
    with simulator() as kiosk:
        found = run_locust(
            tmp_path,
            *("-u", "300", "-r", "10", "--threshold", "job.p50 < 1ms", "--stop-timeout", "5"),
            *("--abort-on-threshold", "1s"),
            host=kiosk.url,
        )
        sent = len(kiosk.submissions)
    assert found.code == 1, found.output
    assert 0 < sent < 150
    assert "exit code 1: job.p50 < 1ms is missed" in found.output
    assert found.sql("SELECT value FROM meta WHERE key = 'ended_by'") == [("--abort-on-threshold",)]
    assert json.loads(found.sql("SELECT value FROM meta WHERE key = 'judgement'")[0][0])
