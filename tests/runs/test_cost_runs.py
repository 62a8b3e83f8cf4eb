"""Real runs whose Grafana is there, in trouble, or not to be asked."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import refusing_url
from tests.runs.test_webui import WebUi

pytestmark = pytest.mark.proof  # scripts/proof runs it

SECRETS = {
    "GRAFANA_USER": "adm1n",
    "GRAFANA_PASSWORD": "s3cr3t-w0rd",
    "GRAFANA_TOKEN": "glsa_t0ken",
}


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator() as found:
        yield found


def state(kiosk: Simulator) -> dict[str, Any]:
    return dict(requests.get(f"{kiosk.url}/simulator/state", timeout=10).json())


def legacy(found: Finished) -> list[str]:
    (result,) = found.results
    names = ("cpu_node_cost", "gpu_node_cost", "total_node_and_networking_costs")
    return [result[name] for name in names]


def files(folder: Path) -> str:
    """All that the run wrote, whatever it is in."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_bytes().decode("latin-1") for path in found)


def test_a_run_s_cost_is_in_ledger_results_and_closing_table_and_no_secret_is_anywhere(
    tmp_path: Path, kiosk: Simulator
) -> None:
    found = run_locust(tmp_path, "-u", "5", host=kiosk.url, GRAFANA_HOST=kiosk.url, **SECRETS)
    assert found.code == 0
    (result,) = found.results
    cpu, gpu, total = map(float, legacy(found))
    assert result["cost"]["asked"] == f"GRAFANA_HOST ({kiosk.url})"
    assert result["cost"]["trouble"] is None
    # Two n1-standard-4 on demand, and one n1-highmem-2 with a T4, spot, in us-west1.
    jobs = result["job_data"]
    due_at = min(job["due_at"] for job in jobs)
    hours = (max(job["due_at"] + job["since_due_s"] for job in jobs) - due_at) / 3600
    assert cpu == pytest.approx(2 * 0.189999 * hours)
    assert gpu == pytest.approx((0.041722 + 0.175) * hours)
    assert total > cpu + gpu
    assert result["costs_are_at_least"] is False
    assert found.sql("SELECT count(*) FROM meta WHERE key = 'cost'") == [(1,)]
    assert "for a million images" in found.output
    (mark,) = (each for each in state(kiosk)["annotations"] if result["run_id"] in each["tags"])
    assert mark["tags"] == ["kiosk", result["run_id"], "segmentation", "done"]
    told = files(tmp_path) + found.output + str(state(kiosk)["annotations"])
    assert not [secret for secret in SECRETS.values() if secret in told]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("GET /api/datasources status=401", "GRAFANA_TOKEN is wrong"),
        ("GET /api/datasources/* status=200 html", "with no JSON (HTML)"),
    ],
)
def test_trouble_with_grafana_changes_nothing_but_the_cost(
    tmp_path: Path, kiosk: Simulator, fault: str, words: str
) -> None:
    kiosk.set_faults(fault)
    found = run_locust(tmp_path, "-u", "5", host=kiosk.url, GRAFANA_HOST=kiosk.url, **SECRETS)
    kiosk.set_faults()
    assert found.code == 0
    assert found.outcomes == {"done": 5}
    assert legacy(found) == ["", "", ""]
    assert words in found.results[0]["cost"]["trouble"]
    warnings = [line for line in found.output.splitlines() if "WARNING" in line and words in line]
    idle = [
        line for line in warnings if "kiosk_locust.cost.queue_depth" in line
    ]  # asked before the start
    assert len(idle) == 1
    assert len(warnings) == 2
    assert not [secret for secret in SECRETS.values() if secret in files(tmp_path) + found.output]


def test_a_grafana_that_is_not_there_changes_nothing_but_the_cost(
    tmp_path: Path, kiosk: Simulator
) -> None:
    with refusing_url() as nowhere:
        found = run_locust(tmp_path, "-u", "5", host=kiosk.url, GRAFANA_HOST=nowhere)
    assert (found.code, found.outcomes) == (0, {"done": 5})
    assert legacy(found) == ["", "", ""]
    assert "connection refused" in found.results[0]["cost"]["trouble"]
    assert len([x for x in found.output.splitlines() if "cost is not known" in x]) == 1


def test_a_signal_ends_the_wait_for_the_scale_down(tmp_path: Path, kiosk: Simulator) -> None:
    locust = Locust(
        tmp_path, "-u", "5", "--cost-tail", "600", host=kiosk.url, GRAFANA_HOST=kiosk.url
    )
    wait_until(lambda: "COST_TAIL: waiting" in locust.output, what="the wait")
    (path,) = tmp_path.glob("results/*.db")
    with sqlite3.connect(path) as ledger:  # whatever happens now, the run's end is written
        (ended_at,) = ledger.execute("SELECT value FROM meta WHERE key = 'ended_at'").fetchone()
        assert float(ended_at) > 0
    locust.signal(signal.SIGINT)
    found = locust.finish(20)
    assert (found.code, found.outcomes) == (0, {"done": 5})
    assert float(legacy(found)[2]) > 0


def test_a_signal_ends_the_wait_of_an_earlier_run_as_well(tmp_path: Path, kiosk: Simulator) -> None:
    """The page lets the next run start while one still waits, and both are to be written."""
    web = WebUi(tmp_path, "--cost-tail", "600", host=kiosk.url, GRAFANA_HOST=kiosk.url)
    for number, name in enumerate(("first", "second"), start=1):
        web.start(name, users=3)
        wait_until(lambda: web.output.count("COST_TAIL: waiting") == number, what="the wait")  # noqa: B023  it is over by the next one
    web.signal(signal.SIGINT)
    assert web.finish(20).code == 0
    for name in ("first", "second"):
        found = web.results(name)
        assert found is not None, name
        assert float(found["total_node_and_networking_costs"]) > 0


def test_a_simulated_run_asks_its_own_grafana_alone(tmp_path: Path, kiosk: Simulator) -> None:
    before = kiosk.requests
    found = run_locust(
        tmp_path, "-u", "5", "--simulate", GRAFANA_HOST=kiosk.url, PROMETHEUS_URL=kiosk.url
    )
    assert found.code == 0
    assert float(legacy(found)[0]) > 0
    assert kiosk.requests == before
