"""The class picker of Locust's web UI: who was picked, and by which weights, counts for jobs."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.servers import free_port
from tests.runs.test_webui import WebUi

pytestmark = [pytest.mark.proof, pytest.mark.whole]  # scripts/proof --whole runs it

MIXED = Path(__file__).parents[1] / "locustfiles" / "mixed.py"


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator() as kiosk:
        yield kiosk


@pytest.fixture(scope="module", params=["one process", "a worker"])
def web(
    request: pytest.FixtureRequest, kiosk: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebUi]:
    port = str(free_port())
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    is_master = request.param == "a worker"
    arguments = ("--class-picker", *(("--master", *bound) if is_master else ()))
    ui = WebUi(tmp_path_factory.mktemp("ui"), *arguments, host=kiosk.url, locustfile=MIXED)
    started: list[Locust] = [ui]
    try:
        if is_master:
            folder = tmp_path_factory.mktemp("worker")
            worker = ("--worker", "--master-port", port)
            started.append(Locust(folder, *worker, headless=False, locustfile=MIXED))
            wait_until(lambda: "1 workers connected" in ui.output, what="the worker")
        yield ui
    finally:
        ui.signal(signal.SIGINT)
        for locust in started:
            locust.finish()


def types_of(web: WebUi, kiosk: Simulator, name: str, jobs: int, **form: str) -> Counter[str]:
    """The types of the jobs that the server received in a run from the form."""
    before = len(kiosk.submissions)
    web.start(name, jobs, 50, **form)
    assert web.written(name) == {"done": jobs}, web.output
    return Counter(s["body"]["jobType"] for s in kiosk.submissions[before:])


def weigh(web: WebUi, user_class: str, weight: float) -> None:
    """What the page does when somebody changes the weight of a class."""
    settings = {"user_class_name": user_class, "weight": weight}
    requests.post(f"{web.url}/user", json=settings, timeout=10).raise_for_status()


def test_each_run_has_the_classes_that_were_picked_for_it_by_the_weights_of_that_moment(
    web: WebUi, kiosk: Simulator
) -> None:
    assert web.page()["available_user_classes"] == ["Mesmer", "Segmentation"]
    assert types_of(web, kiosk, "all", 12) == {"segmentation": 9, "mesmer": 3}
    assert types_of(web, kiosk, "one", 5, user_classes="Mesmer") == {"mesmer": 5}
    assert types_of(web, kiosk, "again", 8) == {"segmentation": 6, "mesmer": 2}
    weigh(web, "Segmentation", 1)
    assert types_of(web, kiosk, "even", 8) == {"segmentation": 4, "mesmer": 4}
    weigh(web, "Segmentation", 0.5)
    assert types_of(web, kiosk, "less", 9) == {"segmentation": 3, "mesmer": 6}
    weigh(web, "Segmentation", 3)


def test_edit_in_mid_run_changes_how_many_are_in_flight_and_no_jobs_class(
    web: WebUi, kiosk: Simulator
) -> None:
    before = len(kiosk.submissions)
    web.start("edited", 4, 10, count="40")
    wait_until(lambda: len(kiosk.submissions) - before >= 5, what="5 submissions")
    web.swarm(2)
    assert web.written("edited") == {"done": 40}, web.output
    asked = Counter(s["body"]["jobType"] for s in kiosk.submissions[before:])
    assert asked == {"segmentation": 30, "mesmer": 10}
