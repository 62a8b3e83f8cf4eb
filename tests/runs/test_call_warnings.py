"""Calls that fail in real runs: said in the log, on the progress line and the page, while they do.

What fails is set at the simulated Kiosk; what people see is read from the process's output and from
its page.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import requests

from tests.helpers.real import LOCUSTFILE, Locust, simulator, wait_until
from tests.helpers.servers import free_port
from tests.runs.test_distributed import cluster
from tests.storage.inputs import pictures

pytestmark = pytest.mark.proof  # scripts/proof runs it

WARNING = re.compile(r"WARNING/kiosk_locust\.monitoring\.call_alerts: (.*)")
SLOW = ("--predict-s=0.5",)


def warnings(output: str) -> list[str]:
    return WARNING.findall(output)


def test_uploads_that_are_stored_and_never_answered(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    pictures.folder_of(folder, 2)
    # Jobs go on for a while after their uploads, so that there is somebody to say what works again.
    with simulator("--predict-s=3", "--folder", str(tmp_path / "bucket")) as kiosk:
        kiosk.set_faults("POST /api/upload hang when=after")
        run = Locust(
            *(tmp_path, "--mode", "upload", "--file", str(folder), "-u", "2"),
            host=kiosk.url,
            MANAGER_REFRESH_RATE="1",
            REQUEST_TIMEOUT="12",
        )
        wait_until(lambda: kiosk.uploads, 20, what="an upload")
        begun = time.monotonic()
        wait_until(lambda: warnings(run.output), 20, what="a warning")
        assert time.monotonic() - begun < 15
        wait_until(lambda: "NO ANSWER to uploads" in run.output, 5, what="the progress line")
        kiosk.set_faults()
        finished = run.finish()
        copies = len(kiosk.uploads)
    assert finished.code == 0, finished.output
    assert copies == 2 * len(finished.jobs)  # each file once in vain
    text = warnings(finished.output)[0]
    assert "no upload (POST /api/upload) has been answered for" in text
    assert "uniform bucket-level access" in text
    assert "uploads work again after" in finished.output
    last = [each for each in finished.output.splitlines() if "terminal.progress" in each][-1]
    assert "uploads" not in last


def test_polls_that_fail_at_all_workers_are_said_by_the_master_once(tmp_path: Path) -> None:
    arguments = ("--count", "8", "-r", "20")
    with (
        simulator() as kiosk,
        cluster(tmp_path, kiosk, *arguments, locustfile=LOCUSTFILE) as run,
    ):
        kiosk.set_faults("POST /api/redis status=502")
        wait_until(lambda: len(kiosk.submissions) == 8, 40, what="8 submissions")
        wait_until(lambda: warnings(run.master.output), 20, what="a warning")
        kiosk.set_faults()
        finished = run.master.finish()
        said = run.said
    assert finished.code == 0, said
    assert len(warnings(said)) == len(warnings(finished.output)) <= 2  # of three processes
    text = warnings(said)[-1]
    assert "no poll (POST /api/redis) has succeeded for" in text
    assert "answered 502" in text
    assert "ingress" in text
    assert re.search(r"polls work again after .* tries failed", finished.output)


def test_the_page_has_it_while_it_fails(tmp_path: Path) -> None:
    port = str(free_port())
    page = f"http://127.0.0.1:{port}"
    with simulator() as kiosk:
        kiosk.set_faults("POST /api/predict status=503")
        run = Locust(
            *(tmp_path, "--autostart", "--autoquit", "0", "-u", "2", "--count", "3"),
            *("--web-host", "127.0.0.1", "--web-port", port),
            host=kiosk.url,
            headless=False,
        )

        def problems() -> list[str]:
            answer = requests.get(f"{page}/kiosk/data.json", timeout=5)
            return list(answer.json()["problems"]) if answer.ok else []

        wait_until(lambda: warnings(run.output), 40, what="a warning")
        (problem,) = (each for each in problems() if "no submission" in each)
        assert "503" in problem
        kiosk.set_faults()
        wait_until(lambda: "submissions work again" in run.output, 40, what="the end of it")
        wait_until(
            lambda: not [each for each in problems() if "no submission" in each], 10, what="no more"
        )
        run.finish()
