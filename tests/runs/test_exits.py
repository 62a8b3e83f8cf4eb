"""Every way out of Locust's main: the process's real exit code is by our table, and the last
line on the screen names it.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.real import ROOT, Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import free_port, processes

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILES = Path(__file__).parents[1] / "locustfiles"


def last_line(finished: Finished) -> str:
    lines = [line for line in finished.output.splitlines() if line.strip()]
    return lines[-1]


def left_by(folder: Path, way: str, *arguments: str, host: str) -> Finished:
    """A run of the locustfile whose process ends in that ``way``."""
    locustfile = LOCUSTFILES / "ways_out.py"
    return run_locust(folder, *arguments, host=host, locustfile=locustfile, WAY=way)


def children_of(run: Locust) -> list[int]:
    pid = run.process.pid
    return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_ended_a_minute_before_the_others_floods_no_end(tmp_path: Path) -> None:
    with simulator("--predict-s=0.3") as kiosk:
        run = Locust(
            tmp_path,
            *("-u", "40", "-r", "10", *processes(2)),
            host=kiosk.url,
            locustfile=LOCUSTFILES / "minute_later.py",
        )
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        os.kill(children_of(run)[0], signal.SIGKILL)
        wait_until(lambda: "was lost" in run.output, what="the master's notice")
        (tmp_path / "minute").touch()
        finished = run.finish()
    assert finished.outcomes == {"done": 40}
    assert last_line(finished).startswith(f"exit code {finished.code}: "), finished.output[-3000:]
    assert len(finished.output.splitlines()) < 300


# -- Locust gives up before there is a run


GIVEN_UP = {
    "workers do not come": (
        ("--master", "--expect-workers", "1", "--expect-workers-max-wait", "1", "-u", "1"),
        "Gave up waiting for workers to connect",
    ),
    "no class": (("-u", "1"), "No User class found!"),
    "no such class": (("-u", "1", "Klosk"), "Unknown User(s): Klosk"),
    "init raises": (("-u", "1"), "Locust says why above"),
    "import fails": (("-u", "1"), "ModuleNotFoundError: No module named 'no_such_module'"),
    "two roles": (("--master", "--worker"), "--master argument cannot be combined with --worker"),
    "alone": (("--autoquit", "1", "-u", "1"), "Locust says why above"),
}


#: Those of one kind with others are left to scripts/proof.
PROOF = ("no class", "two roles", "alone")


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, marks=[pytest.mark.proof] * (way in PROOF)) for way in GIVEN_UP],
)
def test_what_locust_cannot_carry_out_ends_with_2_and_the_reason(tmp_path: Path, way: str) -> None:
    arguments, reason = GIVEN_UP[way]
    port = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port()))
    finished = left_by(tmp_path, way, *port, *arguments, host="http://127.0.0.1:9")
    assert finished.code == 2, finished.output
    assert last_line(finished).startswith("exit code 2: the run could not be carried out: ")
    assert reason in last_line(finished)


def test_a_master_that_gives_up_leaves_no_forked_worker_behind(tmp_path: Path) -> None:
    run = Locust(tmp_path, "-u", "2", "--count", "x", *processes(2), host="http://127.0.0.1:9")
    wait_until(lambda: len(children_of(run)) == 2, what="the workers")
    workers = children_of(run)
    finished = run.finish()
    assert finished.code == 2, finished.output
    assert "--count = 'x'" in finished.output
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_a_taken_master_port_ends_with_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
        finished = run_locust(tmp_path, *arguments, "-u", "1", host="http://127.0.0.1:9")
    assert finished.code == 2
    assert last_line(finished).startswith("exit code 2: the run could not be carried out: ")
    assert "Address already in use" in last_line(finished)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_master_that_waits_for_workers(
    tmp_path: Path, number: signal.Signals
) -> None:
    arguments = ("--master", "--master-bind-host", "127.0.0.1", "--expect-workers", "1", "-u", "1")
    port = ("--master-bind-port", str(free_port()))
    run = Locust(tmp_path, *arguments, *port, host="http://127.0.0.1:9")
    wait_until(lambda: "Waiting for workers to be ready" in run.output, what="the wait")
    run.signal(number)
    finished = run.finish(15)
    assert finished.code == 2, finished.output
    assert last_line(finished).startswith("exit code 2: interrupted by ")
    assert last_line(finished).endswith(" before the first job")


def test_a_worker_without_its_master_ends_with_2(tmp_path: Path) -> None:
    run = Locust(
        tmp_path,
        *("--worker", "--master-host", "127.0.0.1", "--master-port", str(free_port())),
        headless=False,
        locustfile=LOCUSTFILES / "no_retries.py",
    )
    finished = run.finish()
    assert finished.code == 2, finished.output
    assert last_line(finished).startswith("exit code 2: the run could not be carried out: ")


# -- after a run


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator() as made:
        yield made


def test_an_option_of_a_library_that_sets_the_code_has_the_last_line(
    tmp_path: Path, kiosk: Simulator
) -> None:
    """`--check-rps`, as locust-plugins 5.0.3 has it: code 3, set in ``quitting``."""
    finished = Locust(
        tmp_path,
        *("-u", "2", "--check-rps", "1000"),
        host=kiosk.url,
        PYTHONPATH=f"{ROOT}:{LOCUSTFILES / 'libraries'}",
        LOG_ENABLED="true",
        LOG_FILE="log.txt",
    ).finish()
    said = "exit code 3: set by a listener, or by an option of Locust's; of the run alone, 0: "
    assert finished.code == 3, finished.output
    assert last_line(finished) == f"{said}both jobs are done"
    assert finished.output.count("exit code ") == 1 + finished.output.count("(exit code ")
    assert f"{said}both jobs are done" in (tmp_path / "log.txt").read_text().splitlines()[-1]


@pytest.mark.parametrize(("way", "code"), [("code 0", 0), ("code -1", 255), ("code 256", 0)])
def test_the_last_line_has_the_status_that_the_process_really_has(
    tmp_path: Path, kiosk: Simulator, way: str, code: int
) -> None:
    kiosk.set_faults("POST /api/predict status=400")
    finished = left_by(tmp_path, way, "-u", "2", "-r", "100", host=kiosk.url)
    kiosk.set_faults()
    assert finished.code == code, finished.output
    assert last_line(finished).startswith(f"exit code {code}: set by a listener, or by an option")


def test_a_check_that_breaks_while_locust_ends_is_no_passed_check(
    tmp_path: Path, kiosk: Simulator
) -> None:
    finished = left_by(tmp_path, "quitting raises", "-u", "2", host=kiosk.url)
    assert finished.code == 2, finished.output
    assert last_line(finished).startswith("exit code 2: a listener raised while Locust ended (")
    assert last_line(finished).endswith("of the run alone, 0: both jobs are done")


@pytest.mark.parametrize("option", ["--html", "--json-file"])
def test_a_file_of_locusts_that_cannot_be_written_costs_no_closing_screen(
    tmp_path: Path, kiosk: Simulator, option: str
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    finished = run_locust(tmp_path, "-u", "2", option, "taken/report", host=kiosk.url)
    assert finished.code == 2, finished.output
    assert "\nwritten: results/" in finished.output
    assert last_line(finished).startswith("exit code 2: ")
    assert last_line(finished).endswith("of the run alone, 0: both jobs are done")


def test_a_run_of_the_page_that_another_overrules_says_so_at_the_end(
    tmp_path: Path, kiosk: Simulator
) -> None:
    finished = run_locust(
        tmp_path,
        *("--web-host", "127.0.0.1", "--web-port", str(free_port()), "-u", "2"),
        *("--autostart", "--autoquit", "0"),
        host=kiosk.url,
        headless=False,
        locustfile=LOCUSTFILES / "ways_out.py",
        WAY="code 5",
    )
    assert finished.code == 5, finished.output
    assert last_line(finished) == (
        "exit code 5: set by a listener, or by an option of Locust's; of the run alone, 0: both"
        " jobs are done"
    )
