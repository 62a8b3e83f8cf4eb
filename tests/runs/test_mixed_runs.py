"""Mixed user classes in real runs: the order of the jobs by the server's log, and what that costs.

The jobs of both types are the same to the simulated Kiosk but for their name.
"""

from __future__ import annotations

import json
import signal
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.real import Finished, Locust, Simulator, run_locust, simulator, wait_until
from tests.helpers.servers import free_port, processes

pytestmark = pytest.mark.proof  # scripts/proof runs it

LOCUSTFILES = Path(__file__).parents[1] / "locustfiles"
MIXED = LOCUSTFILES / "mixed.py"
#: A Kiosk with so little room that jobs wait longer and longer.
CROWDED = ("--jobs-per-gpu=4", "--predict-s=0.12", "--max-nodes=1")
SEEDED = ("--arrival-seed", "7")
TWO_HUNDRED = ("-u", "200", "--start-delay", "0.02", *SEEDED)
FORTY = ("-u", "40", "--start-delay", "0.05", *SEEDED)


def types(kiosk: Simulator) -> list[str]:
    """The job types in the order in which the server received the jobs."""
    return [s["body"]["jobType"] for s in kiosk.submissions]


def types_by_ticket(kiosk: Simulator) -> dict[int, str]:
    """The job type that the server received for each ticket; never two for one."""
    found: dict[int, str] = {}
    for submission in kiosk.submissions:
        body = submission["body"]
        ticket = int(body["imageName"].removesuffix(".tif"))
        assert found.setdefault(ticket, body["jobType"]) == body["jobType"]
    return dict(sorted(found.items()))


def farthest(kinds: list[str], share: float = 0.25) -> float:
    """The most jobs by which the Mesmers of some prefix differ from their share."""
    mesmers = 0
    most = 0.0
    for jobs, kind in enumerate(kinds, 1):
        mesmers += kind == "mesmer"
        most = max(most, abs(mesmers - share * jobs))
    return most


def mixed(folder: Path, *arguments: str, **settings: Any) -> Finished:
    folder.mkdir(exist_ok=True)
    return run_locust(folder, *arguments, locustfile=MIXED, **settings)


def test_types_that_differ_by_name_alone_come_evenly_and_take_as_long(tmp_path: Path) -> None:
    with simulator(*CROWDED) as kiosk:
        finished = mixed(tmp_path, *TWO_HUNDRED, host=kiosk.url)
        assert (finished.code, finished.outcomes) == (0, {"done": 200}), finished.output
        received, by_ticket = types(kiosk), types_by_ticket(kiosk)
    assert Counter(received) == {"segmentation": 150, "mesmer": 50}
    assert farthest(list(by_ticket.values())) <= 1
    assert farthest(received) <= 2  # two that were sent within a millisecond may change places
    durations: dict[str, list[float]] = {"segmentation": [], "mesmer": []}
    for job in finished.jobs:
        durations[by_ticket[job["ticket"]]].append(job["duration_s"])
    means = {kind: statistics.fmean(values) for kind, values in durations.items()}
    assert max(durations["mesmer"]) > 3 * min(durations["mesmer"])  # it was crowded
    assert means["mesmer"] == pytest.approx(means["segmentation"], rel=0.05)


def test_the_same_seed_gives_each_ticket_the_same_type_in_one_process_and_in_three(
    tmp_path: Path,
) -> None:
    orders = []
    for name, arguments in (("one", ()), ("again", ()), ("three", processes(2))):
        with simulator() as kiosk:
            finished = mixed(tmp_path / name, *FORTY, *arguments, host=kiosk.url)
            assert (finished.code, finished.outcomes) == (0, {"done": 40}), finished.output
            assert farthest(types(kiosk)) <= 2
            orders.append(types_by_ticket(kiosk))
        of_class = {"Segmentation": "segmentation", "Mesmer": "mesmer"}
        by_record = {job["ticket"]: of_class[job["user_class"]] for job in finished.jobs}
        assert by_record == orders[-1]
        bodies = finished.sql(
            "SELECT number, body FROM tickets JOIN requests ON request_id = requests.id"
        )
        assert {ticket: json.loads(body)["job_type"] for ticket, body in bodies} == orders[-1]
    assert orders[0] == orders[1] == orders[2]
    assert farthest(list(orders[0].values())) <= 1


def test_another_seed_gives_another_order(tmp_path: Path) -> None:
    orders = []
    for seed in ("7", "8"):
        with simulator() as kiosk:
            mixed(tmp_path / seed, *FORTY[:-1], seed, host=kiosk.url)
            orders.append(list(types_by_ticket(kiosk).values()))
    assert orders[0] != orders[1]
    assert all(farthest(order) <= 1 for order in orders)


def test_after_a_kill_each_ticket_keeps_its_type(tmp_path: Path) -> None:
    arguments = ("-u", "60", "--start-delay", "0.05", *SEEDED)
    with simulator() as kiosk:
        run = Locust(tmp_path, *arguments, host=kiosk.url, locustfile=MIXED)
        wait_until(lambda: len(kiosk.submissions) >= 25, what="25 submissions")
        run.signal(signal.SIGKILL)
        run.finish()
        assert len(types_by_ticket(kiosk)) < 55  # there was something left
        finished = mixed(tmp_path, "--resume", "latest", host=kiosk.url)
        assert (finished.code, finished.outcomes) == (0, {"done": 60}), finished.output
        resumed = types_by_ticket(kiosk)
    assert "user classes were" not in finished.output
    with simulator() as kiosk:
        mixed(tmp_path / "undisturbed", *arguments, host=kiosk.url)
        assert types_by_ticket(kiosk) == resumed
    assert sorted(resumed) == list(range(60))
    assert farthest(list(resumed.values())) <= 1


def test_a_resume_with_other_weights_says_so_and_follows_them(tmp_path: Path) -> None:
    turned = tmp_path / "turned.py"
    turned.write_text(MIXED.read_text().replace("weight = 3", "weight = 1"))
    with simulator() as kiosk:
        run = Locust(
            tmp_path, "-u", "80", "--start-delay", "0.05", host=kiosk.url, locustfile=MIXED
        )
        wait_until(lambda: len(kiosk.submissions) >= 20, what="20 submissions")
        run.signal(signal.SIGINT)
        run.finish()
        before = types_by_ticket(kiosk)
        finished = run_locust(tmp_path, "--resume", "latest", host=kiosk.url, locustfile=turned)
        after = types_by_ticket(kiosk)
    assert (finished.code, finished.outcomes) == (0, {"done": 80}), finished.output
    assert (
        "its user classes were Mesmer 1 : Segmentation 3 by weight and are now"
        " Mesmer 1 : Segmentation 1" in finished.output
    )
    (found,) = finished.results
    assert found["sessions"][1]["changed"]["user_classes"] == [
        [["Mesmer", 1], ["Segmentation", 3]],
        [["Mesmer", 1], ["Segmentation", 1]],
    ]
    rest = [kind for ticket, kind in after.items() if ticket not in before]
    assert farthest(rest, 0.5) <= 2


def test_a_class_without_a_user_has_its_share_and_is_got_ready_once(tmp_path: Path) -> None:
    with simulator() as kiosk:
        arguments = ("-u", "3", "--count", "40", "--start-delay", "0.02")
        finished = run_locust(
            tmp_path, *arguments, host=kiosk.url, locustfile=LOCUSTFILES / "logged_in.py"
        )
        images = Counter(s["body"]["imageName"] for s in kiosk.submissions)
    assert (finished.code, finished.outcomes) == (0, {"done": 40}), finished.output
    assert images == {"Often-token.tif": 36, "Seldom-token.tif": 4}
    logins = Counter((tmp_path / "logins.txt").read_text().split())
    assert logins == {"Often": 3, "Seldom": 1}  # three users, and one to be asked


def test_a_worker_without_a_class_of_the_run_ends_it_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "master").mkdir()
    (tmp_path / "worker").mkdir()
    port = str(free_port())
    with simulator() as kiosk:
        master = Locust(
            tmp_path / "master", "--master", "--master-bind-host", "127.0.0.1",
            "--master-bind-port", port, "--expect-workers", "1", *FORTY, "--count", "8",
            host=kiosk.url, locustfile=MIXED,
        )  # fmt: skip
        worker = Locust(
            tmp_path / "worker", "--worker", "--master-port", port, "Segmentation",
            headless=False, locustfile=MIXED,
        )  # fmt: skip
        finished = master.finish()
        worker.finish()
        assert types(kiosk) == []
    assert finished.code == 2
    assert "leaves out Mesmer, which the run has jobs of" in finished.output.splitlines()[-1]
