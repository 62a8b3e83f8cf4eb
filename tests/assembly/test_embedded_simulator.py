"""The embedded simulated Kiosk: a real process, started and ended with ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.assembly import embedded_simulator
from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from kiosk_locust.errors import SimulatorError

ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
{patch}
from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
kiosk = EmbeddedKiosk()
print(kiosk.start(), kiosk._process.pid, flush=True)
time.sleep(60)
"""


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie, as the kernel tells it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pid: int, limit_s: float = 10.0) -> None:
    ends_at = time.monotonic() + limit_s
    while is_running(pid):
        assert time.monotonic() < ends_at, f"{pid} still runs after {limit_s} s"
        time.sleep(0.02)


def pid_of(kiosk: EmbeddedKiosk) -> int:
    assert kiosk._process
    return kiosk._process.pid


def test_it_serves_between_start_and_stop_and_its_process_is_gone_after() -> None:
    kiosk = EmbeddedKiosk()
    url = kiosk.start()
    pid = pid_of(kiosk)
    assert url.startswith("http://127.0.0.1:")
    assert get(f"{url}/api/health-check") == {"message": "OK"}
    kiosk.stop()
    assert not is_running(pid)
    kiosk.stop()


def test_as_a_context_it_ends_also_when_its_body_raises() -> None:
    kiosk = EmbeddedKiosk()
    pids = []

    def fail_inside() -> None:
        with kiosk:
            pids.append(pid_of(kiosk))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert not is_running(pids[0])


def test_it_is_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it() -> None:
    kiosk = EmbeddedKiosk()
    with kiosk:
        assert os.getsid(pid_of(kiosk)) == pid_of(kiosk)


def test_it_ends_quickly_although_a_request_hangs() -> None:
    kiosk = EmbeddedKiosk("--fault", "GET /api/jobtypes hang")
    url = kiosk.start()
    pid = pid_of(kiosk)
    hanging = subprocess.Popen(
        [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{url}/api/jobtypes')"],
        stderr=subprocess.DEVNULL,
    )
    ends_at = time.monotonic() + 10
    while "GET /api/jobtypes" not in get(f"{url}/simulator/log")["requests"]:
        assert time.monotonic() < ends_at
    begun = time.monotonic()
    kiosk.stop()
    assert time.monotonic() - begun < 2
    assert not is_running(pid)
    assert hanging.wait(10) != 0


def test_options_in_the_environment_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        embedded_simulator.ARGS_VARIABLE,
        "--seed 42 --fault 'GET /api/jobtypes status=200 body=\"{}\"'",
    )
    with EmbeddedKiosk() as url:
        assert get(f"{url}/simulator/state")["seed"] == 42
        assert get(f"{url}/api/jobtypes") == {}


def test_a_wrong_option_is_told_with_the_last_words_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(embedded_simulator.ARGS_VARIABLE, "--failure-rate 3")
    with pytest.raises(SimulatorError) as caught:
        EmbeddedKiosk().start()
    told = str(caught.value)
    assert "ended with code 2" in told
    assert "--failure-rate = '3.0': give a share from 0 to 1" in told
    assert "KIOSK_SIMULATOR_ARGS" in told
    assert "--host" in told


def test_words_that_cannot_be_split_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(embedded_simulator.ARGS_VARIABLE, "--fault 'GET")
    with pytest.raises(SimulatorError, match=r"KIOSK_SIMULATOR_ARGS.*quote it as for a shell"):
        EmbeddedKiosk().start()


def test_missing_libraries_are_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded_simulator, "NEEDED", ("json", "no_such_library"))
    with pytest.raises(SimulatorError, match=r"no_such_library.*pip install 'kiosk-locust\[simul"):
        EmbeddedKiosk().start()


def test_a_process_that_does_not_get_ready_is_ended_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho so slow >&2\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr(embedded_simulator, "STOP_TIMEOUT_S", 0.1)
    with pytest.raises(
        SimulatorError, match=r"not ready within 0\.5 s[^|]*\| Its last words"
    ) as told:
        EmbeddedKiosk(start_timeout_s=0.5).start()
    assert "| so slow" in str(told.value)
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_other_words_than_the_url_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chatty = tmp_path / "python"
    chatty.write_text("#!/bin/sh\necho hello\ncat\n")
    chatty.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(chatty))
    with pytest.raises(SimulatorError, match="said b'hello"):
        EmbeddedKiosk().start()


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"])
def test_it_ends_when_the_process_that_started_it_is_killed(patch: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(patch=patch)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout
    url, pid = parent.stdout.readline().decode().split()
    assert get(f"{url}/api/health-check") == {"message": "OK"}
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    wait_until_gone(int(pid))
    parent.stdout.close()


def test_other_greenlets_run_while_it_starts() -> None:
    program = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import gevent, time\n"
        "from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk\n"
        "gaps, last = [], time.monotonic()\n"
        "def tick():\n"
        "    global last\n"
        "    while True:\n"
        "        gevent.sleep(0.005); now = time.monotonic()\n"
        "        gaps.append(now - last); last = now\n"
        "gevent.spawn(tick)\n"
        "gevent.sleep(0.02)\n"
        "with EmbeddedKiosk(): pass\n"
        "print(len(gaps))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30, check=True
    )
    assert int(done.stdout) > 20
