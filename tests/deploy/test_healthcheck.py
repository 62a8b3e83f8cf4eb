"""The image's health check, on processes and pages that are well or not."""

from __future__ import annotations

import http.server
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.manifests import DEPLOY
from tests.helpers.real import wait_until

CODE = "import sys; sys.stdin.read()"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("healthcheck", DEPLOY / "healthcheck.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


healthcheck = _load()


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts a process that waits, with the words given in its command line."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*words: str) -> Path:
        process = subprocess.Popen([sys.executable, "-c", CODE, *words], stdin=subprocess.PIPE)
        started.append(process)
        return Path(f"/proc/{process.pid}")

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def page() -> Iterator[int]:
    """The port of a page that answers."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("words", [("--headless",), ("--headless", "--master"), ("--worker",)])
def test_a_run_without_a_page_is_well_while_it_lives(
    start: Any, nobody: int, words: tuple[str, ...]
) -> None:
    assert healthcheck.main(start("/opt/venv/bin/locust", *words), nobody) == 0


def test_a_page_must_answer(start: Any, page: int, nobody: int, capsys: Any) -> None:
    folder = start("locust", "--autostart")
    assert healthcheck.main(folder, page) == 0
    assert healthcheck.main(folder, nobody) == 1
    assert f"port {nobody} does not answer" in capsys.readouterr().out


def test_a_process_that_was_stopped_is_not_well(start: Any, capsys: Any) -> None:
    folder = start("locust", "--headless")
    os.kill(int(folder.name), signal.SIGSTOP)
    wait_until(lambda: ") T " in (folder / "stat").read_text(), what="the stop")
    assert healthcheck.main(folder) == 1
    assert "is stopped" in capsys.readouterr().out


def test_another_program_or_none_is_not_well(start: Any, capsys: Any) -> None:
    assert healthcheck.main(start("sleep")) == 1
    assert "is no Locust" in capsys.readouterr().out
    assert healthcheck.main(Path("/proc/0")) == 1
    assert "cannot be read" in capsys.readouterr().out


def test_it_tells_by_its_exit_code_that_process_one_of_this_machine_is_no_locust() -> None:
    command = [sys.executable, str(DEPLOY / "healthcheck.py")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 1
    assert told.stdout.startswith(("process 1 is no Locust", "/proc/1 cannot be read"))
