"""A master with a web UI and a worker: run after run, as people start and stop them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.servers import free_port
from tests.runs.test_webui import WebUi

pytestmark = pytest.mark.resilience  # scripts/resilience runs it


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator("--predict-s=0.5") as kiosk:
        yield kiosk


@pytest.fixture(scope="module")
def web(kiosk: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    port = str(free_port())
    arguments = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
    ui = WebUi(tmp_path_factory.mktemp("master"), *arguments, host=kiosk.url)
    folder = tmp_path_factory.mktemp("worker")
    worker = Locust(folder, "--worker", "--master-port", port, headless=False)
    try:
        wait_until(lambda: "1 workers connected" in ui.output, what="the worker")
        yield ui
        ui.signal(signal.SIGINT)
        ui.finish()
        assert worker.finish().code == 0, worker.output
    finally:
        for process in (ui.process, worker.process):
            if process.poll() is None:
                process.kill()
            process.wait()


def test_a_run_from_the_form_ends_by_itself_and_so_does_the_next(
    web: WebUi, kiosk: Simulator
) -> None:
    for name in ("first", "second"):
        before = len(kiosk.submissions)
        web.start(name, users=10, rate=20)
        assert web.written(name) == {"done": 10}, web.output
        assert len(kiosk.submissions) - before == 10


def test_stop_ends_a_run_with_everything_written_and_another_can_start(
    web: WebUi, kiosk: Simulator
) -> None:
    before = len(kiosk.submissions)
    web.start("stopped", users=100, rate=10)
    wait_until(lambda: len(kiosk.submissions) - before >= 5, what="5 submissions")
    web.stop()
    outcomes = web.written("stopped")
    submitted = len(kiosk.submissions) - before
    assert outcomes == {"done": submitted, "unfinished": 100 - submitted}
    web.start("after", users=5, rate=20)
    assert web.written("after") == {"done": 5}
