"""A simulated Kiosk that is reached by its address says so, and a run against it is no real one."""

from __future__ import annotations

import signal
from pathlib import Path

import requests
from flask import Flask

from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.reporting.web.pages import Pages
from tests.helpers.real import Locust, run_locust, simulator, wait_until


class Shown:
    """A folder of runs, none of which is on."""

    refusal = ""
    current = None

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir


def listed(folder: Path) -> str:
    app = Flask("test")
    app.register_blueprint(Pages(Shown(folder), lambda view: view).blueprint(""))
    return app.test_client().get("/kiosk/runs").get_data(as_text=True)


def test_every_answer_of_the_simulator_says_who_it_is() -> None:
    with simulator() as kiosk:
        for path in ("/api/health-check", "/api/jobtypes", "/api/models", "/", "/api/nothing"):
            answer = requests.get(f"{kiosk.url}{path}", timeout=10)
            assert answer.headers["X-Kiosk"] == "simulated", path


def test_a_run_by_its_address_is_told_listed_and_kept_as_simulated(tmp_path: Path) -> None:
    with simulator() as kiosk:
        left = run_locust(tmp_path, "-u", "2", "--run-name", "a", host=kiosk.url)
    assert left.code == 0, left.output
    assert f"SIMULATED: {kiosk.url} says that it is a simulated Kiosk" in left.output
    assert "SIMULATED: these jobs ran on the simulated Kiosk" in left.output
    assert [found["simulated"] for found in left.results] == [True]
    page = listed(tmp_path / "results")
    assert "<td>simulated</td>" in page
    assert "<td>real</td>" not in page
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert not [name for name in names if name.startswith("simulated_")]


def test_it_can_be_resumed_while_it_lives(tmp_path: Path) -> None:
    with simulator("--predict-s=0.5") as kiosk:
        run = Locust(tmp_path, "-u", "20", "-r", "10", "--run-name", "b", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 5, what="5 submissions")
        run.signal(signal.SIGKILL)
        run.finish()
        left = run_locust(tmp_path, "--resume", "b", host=kiosk.url)
    assert (left.code, left.outcomes["done"]) == (0, 20), left.output
    with opened(tmp_path / "results" / "b.db") as db:
        run_facts = facts(db)
        assert (run_facts.simulated, run_facts.embedded) == (True, False)
