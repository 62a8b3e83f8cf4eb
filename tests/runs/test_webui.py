"""The start form, Stop and Edit of Locust's web UI, driven as a browser does, by HTTP alone."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.helpers.real import Locust, Simulator, simulator, wait_until
from tests.helpers.servers import RawServer, answering, html_answer

pytestmark = pytest.mark.proof

CANARY = "canary-3141592653"
Outcomes = dict[str, int]


class WebUi(Locust):
    """A Locust process with a web UI, and its page as a browser sees it."""

    def __init__(self, folder: Path, *arguments: str, **settings: Any) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        web = ("--web-host", "127.0.0.1", "--web-port", str(port))
        super().__init__(folder, *web, *arguments, headless=False, **settings)
        try:
            wait_until(self._answers, what="the web UI")
        except BaseException:
            self.process.kill()  # nobody else has it yet
            self.process.wait()
            raise

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.output
        try:
            return requests.get(self.url, timeout=10).status_code < 500
        except requests.ConnectionError:
            return False

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=30)

    def page(self) -> dict[str, Any]:
        """What the start page shows, from the data it carries."""
        found = re.search(r"window\.templateArgs\s*=\s*(\{.*\})", self.get("/").text)
        assert found
        shown: dict[str, Any] = json.loads(found[1])
        return shown

    def fields(self) -> dict[str, str]:
        """The start form's fields beside users and rate, as they are pre-filled."""
        options = self.page()["extra_options"]
        values = {name: option["default_value"] for name, option in options.items()}
        return {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in values.items()}

    def submit(self, users: int, rate: float = 50, **form: str) -> dict[str, Any]:
        """Press Start: a browser posts every field, changed or not. The answer's JSON."""
        host = self.page().get("host") or ""
        return self.swarm(users, rate, **({"host": host} | self.fields() | form))

    def swarm(self, users: int, rate: float = 50, **form: str) -> dict[str, Any]:
        """Post these fields alone, as the form behind Edit does; the answer's JSON."""
        data = {"user_count": str(users), "spawn_rate": str(rate), **form}
        answer = requests.post(f"{self.url}/swarm", data=data, timeout=30)
        return dict(answer.json())

    def start(self, name: str, users: int, rate: float = 50, **form: str) -> None:
        answer = self.submit(users, rate, run_name=name, **form)
        assert answer["success"], answer

    def stop(self) -> None:
        requests.post(f"{self.url}/stop", timeout=60).raise_for_status()

    @property
    def state(self) -> str:
        return str(self.page()["state"])  # /stats/requests has an answer up to 2 s old

    def jobs_in_statistics(self) -> int:
        rows = self.get("/stats/requests").json()["stats"]
        return sum(int(row["num_requests"]) for row in rows if row["method"] == "JOB")

    def ledger(self, name: str) -> Path:
        return self.folder / "results" / f"{name}.db"

    def sql(self, name: str, query: str) -> list[tuple[Any, ...]]:
        uri = f"{self.ledger(name).as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as ledger:
            return ledger.execute(query).fetchall()

    def results(self, name: str) -> dict[str, Any] | None:
        """The results file of a run; None until it is there."""
        try:
            paths = list(self.folder.glob("results/*delay_*.json"))
        except FileNotFoundError:  # while it is looked whether the folder can be made
            return None
        for path in paths:
            found: dict[str, Any] = json.loads(path.read_text())
            if found["run_name"] == name:
                return found
        return None

    def written(self, name: str) -> Outcomes:
        """Wait until a run's results are written; the jobs by outcome."""
        wait_until(lambda: self.results(name), what=f"results of {name}")
        wait_until(lambda: self.state == "stopped", what="the UI's stop")
        found = self.results(name)
        assert found is not None
        outcomes = [job["outcome"] for job in found["job_data"]]
        assert found["num_jobs"] == len(outcomes)
        return {outcome: outcomes.count(outcome) for outcome in set(outcomes)}

    def most_in_flight(self, name: str, since: float = 0.0) -> int:
        """The most jobs that were submitted and not closed at any moment after ``since``."""
        ends = self.sql(name, "SELECT submitted_at, closed_at FROM tickets WHERE submitted_at > 0")
        steps = sorted([(begun, 1) for begun, _ in ends] + [(ended, -1) for _, ended in ends])
        now = most = 0
        for at, step in steps:
            now += step
            most = max(most, now) if at > since else most
        return most


def made_by(kiosk: Simulator) -> Callable[[], list[str]]:
    """What counts submissions from now on, as the server received them."""
    before = len(kiosk.submissions)
    return lambda: [submission["hash"] for submission in kiosk.submissions[before:]]


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    with simulator("--predict-s=0.5") as kiosk:
        yield kiosk


@pytest.fixture(scope="module")
def shared(kiosk: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    """One process in which run after run is started, as people do."""
    ui = WebUi(tmp_path_factory.mktemp("web"), host=kiosk.url)
    yield ui
    ui.signal(signal.SIGINT)
    ui.finish()


@pytest.fixture
def web(shared: WebUi) -> Iterator[WebUi]:
    """The shared web UI, with no run on."""
    wait_until(lambda: shared.state in ("ready", "stopped"), what="the end of the run before")
    yield shared
    if shared.state not in ("ready", "stopped"):
        shared.stop()


# -- the start form


def test_a_form_makes_exactly_count_submissions_and_the_ui_stops_by_itself(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    web.start("counted", users=10, rate=100, count="30", label="nuclei", file="other.tif")
    assert web.written("counted") == {"done": 30}
    assert len(made()) == len(set(made())) == 30
    assert {(s["body"]["dataLabel"], s["body"]["imageName"]) for s in kiosk.submissions[-30:]} == {
        ("nuclei", "other.tif")
    }
    assert web.most_in_flight("counted") == 10


def test_without_a_count_the_form_makes_as_many_jobs_as_users(web: WebUi, kiosk: Simulator) -> None:
    made = made_by(kiosk)
    web.start("by-users", users=12, rate=100)
    assert web.written("by-users") == {"done": 12}
    assert len(made()) == 12


def test_all_at_once_beats_the_spawn_rate_that_the_form_must_send(
    web: WebUi, kiosk: Simulator
) -> None:
    before = len(kiosk.submissions)
    web.start("at-once", users=20, rate=0.5, all_at_once="true")
    assert web.written("at-once") == {"done": 20}
    arrived = [submission["at"] for submission in kiosk.submissions[before:]]
    assert max(arrived) - min(arrived) < 1


def test_a_form_with_mistakes_is_refused_with_all_of_them_and_starts_nothing(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    answer = web.submit(5, run_name="wrong", model="noversion", update_interval="-1", count="many")
    assert answer["success"] is False
    for name, value in (("Model", "noversion"), ("Update interval", "-1"), ("Count", "many")):
        assert re.search(rf"{name}.*{value}", answer["message"]), answer["message"]
    assert not web.ledger("wrong").exists()
    assert made() == []
    assert web.state in ("ready", "stopped")


def test_a_name_that_is_taken_starts_nothing_and_the_next_run_works(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    web.start("taken", users=2)
    assert web.written("taken") == {"done": 2}
    answer = web.submit(2, run_name="taken")
    assert answer["success"] is False
    assert re.search(r"Run name in the form = 'taken': .* is there already", answer["message"])
    assert web.state == "stopped"
    assert len(made()) == 2
    web.start("taken-not", users=2)
    assert web.written("taken-not") == {"done": 2}


def test_the_page_shows_what_is_in_force_and_no_secret(kiosk: Simulator, tmp_path: Path) -> None:
    settings = {"START_DELAY": "0.04", "LABEL": "7", "GRAFANA_PASSWORD": CANARY}
    web = WebUi(tmp_path, host=kiosk.url, dotenv=f"GRAFANA_TOKEN={CANARY}\nSCALE=2\n", **settings)
    expected = {
        "label": "7",
        "scale": "2",
        "update_interval": "0.2",
        "file": "image.png",
        "all_at_once": "false",
        "count": "",
    }
    assert {name: web.fields()[name] for name in expected} == expected
    assert web.page()["spawn_rate"] == 25
    assert web.page()["host"] == kiosk.url
    web.start("shown", users=1)
    assert web.written("shown") == {"done": 1}
    for path in ("/", "/stats/requests", "/stats/report", "/exceptions", "/tasks", "/logs"):
        assert CANARY not in web.get(path).text, path
    web.signal(signal.SIGINT)
    web.finish()
    for file in (path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".env"):
        assert CANARY.encode() not in file.read_bytes(), file


# -- Stop and Edit


def test_stop_lets_jobs_in_flight_end_and_closes_the_rest_as_unfinished(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    web.start("stopped", users=200, rate=20)
    wait_until(lambda: len(made()) >= 15, what="15 submissions")
    web.stop()
    submitted = len(made())
    assert web.written("stopped") == {"done": submitted, "unfinished": 200 - submitted}
    assert len(made()) == submitted


def test_stop_waits_no_longer_than_stop_timeout(kiosk: Simulator, tmp_path: Path) -> None:
    with simulator("--predict-s=600") as slow:
        web = WebUi(tmp_path, "-s", "1", host=slow.url)
        web.start("hopeless", users=5, all_at_once="true")
        wait_until(lambda: len(slow.submissions) == 5, what="5 submissions")
        web.stop()
        assert web.written("hopeless") == {"unfinished": 5}
        assert web.sql("hopeless", "SELECT count(*) FROM tickets WHERE job_id IS NULL") == [(0,)]
        web.signal(signal.SIGTERM)
        assert web.finish().code == 2


def test_fewer_users_in_mid_run_kill_no_job_and_jobs_in_flight_become_fewer(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    web.start("fewer", users=20, rate=100, count="30", workload="closed")
    wait_until(lambda: len(made()) >= 20, what="20 submissions")
    web.swarm(5)
    (edited_at,) = (max(s["at"] for s in kiosk.submissions),)
    assert web.written("fewer") == {"done": 30}
    assert len(made()) == len(set(made())) == 30
    assert web.most_in_flight("fewer") == 20
    assert web.most_in_flight("fewer", since=edited_at + 1.5) <= 5


def test_more_users_in_mid_run_bring_more_in_flight_not_more_jobs(
    web: WebUi, kiosk: Simulator
) -> None:
    made = made_by(kiosk)
    web.start("more", users=3, rate=100, count="60", workload="closed")
    wait_until(lambda: len(made()) >= 3, what="3 submissions")
    web.swarm(30)
    assert web.written("more") == {"done": 60}
    assert len(made()) == 60
    assert web.most_in_flight("more") == 30


def test_fewer_users_leave_the_schedule_in_order(web: WebUi, kiosk: Simulator) -> None:
    made = made_by(kiosk)
    web.start("in-order", users=60, rate=30)
    wait_until(lambda: len(made()) >= 5, what="5 submissions")
    web.swarm(25)
    assert web.written("in-order") == {"done": 60}
    order = web.sql("in-order", "SELECT number FROM tickets ORDER BY submitted_at")
    # Neighbours may swap on a busy machine; a ticket left without a user would come much later.
    assert all(abs(number - place) <= 3 for place, (number,) in enumerate(order))
    (late,) = web.sql("in-order", "SELECT max(submitted_at - due_at) FROM tickets")
    assert late[0] < 0.25


# -- one run after another


def test_the_run_time_of_one_form_is_not_that_of_the_next(web: WebUi, kiosk: Simulator) -> None:
    made = made_by(kiosk)
    web.start("timed", users=100, rate=20, run_time="1s")
    assert web.written("timed") == {"done": len(made()), "unfinished": 100 - len(made())}
    made = made_by(kiosk)
    web.start("not-timed", users=100, rate=20)
    wait_until(lambda: len(made()) >= 20, what="more submissions than in the run time before")
    web.stop()
    assert web.written("not-timed") == {"done": len(made()), "unfinished": 100 - len(made())}
    timed, not_timed = web.results("timed"), web.results("not-timed")
    assert timed is not None
    assert not_timed is not None
    assert (timed["ended_by"], not_timed["ended_by"]) == ("-t", "Stop")
    assert not_timed["configuration"]["run_time_s"] is None


def test_the_form_takes_times_as_every_other_source_does(web: WebUi, kiosk: Simulator) -> None:
    made = made_by(kiosk)
    web.start("by-units", users=100, rate=20, run_time="0.02min", update_interval="300ms")
    done = web.written("by-units")
    assert sum(done.values()) == 100
    assert 10 <= len(made()) <= 40  # 1.2 s at 20 a second
    results = web.results("by-units")
    assert results is not None
    found = results["configuration"]
    assert (found["run_time_s"], found["update_interval_s"]) == (1.2, 0.3)
    assert results["ended_by"] == "-t"
    refused = web.submit(3, run_time="1h30", job_timeout="5 weeks")
    assert not refused["success"]
    assert "Run time in the form = '1h30'" in refused["message"]
    assert "Job timeout in the form = '5 weeks'" in refused["message"]


def test_a_second_run_has_its_own_ledger_even_while_the_first_is_still_being_finished(
    kiosk: Simulator, tmp_path: Path
) -> None:
    made = made_by(kiosk)
    locustfile = Path(__file__).parents[1] / "locustfiles" / "slow_finish.py"
    web = WebUi(tmp_path, host=kiosk.url, locustfile=locustfile)
    web.start("first", users=10, rate=100)
    wait_until((tmp_path / "finishing").exists, what="the first run's finish")
    wait_until(lambda: web.state == "stopped", what="the UI's stop")
    web.start("second", users=15, rate=100)
    assert web.written("second") == {"done": 15}
    assert web.results("first") is None
    (tmp_path / "go").touch()
    assert web.written("first") == {"done": 10}
    jobs = {
        name: [job for (job,) in web.sql(name, "SELECT job_id FROM tickets")]
        for name in ("first", "second")
    }
    assert sorted(jobs["first"] + jobs["second"]) == sorted(made())
    wait_until(lambda: web.jobs_in_statistics() == 15, 5, "15 jobs in Locust's statistics")
    web.signal(signal.SIGINT)
    assert web.finish().code == 0


def test_a_kiosk_that_cannot_be_used_is_told_to_who_clicked_and_leaves_the_ui_usable(
    kiosk: Simulator, tmp_path: Path
) -> None:
    with RawServer(answering(html_answer())) as nowhere:  # one that refuses is asked for 2 s
        web = WebUi(tmp_path, host=nowhere.url)
        answer = web.submit(3, run_name="nowhere")
        assert answer["success"] is False
        assert "does not seem to be a Kiosk" in answer["message"]
        assert web.state == "ready"
        assert not web.ledger("nowhere").exists()
        wrong = web.submit(3, host=kiosk.url, job_type="unheard-of")
        assert "JOB_TYPE 'unheard-of'" in wrong["message"]
        web.start("somewhere", users=3, host=kiosk.url)
        assert web.written("somewhere") == {"done": 3}
        web.signal(signal.SIGINT)
        assert web.finish().code == 0


def test_a_run_that_cannot_start_for_another_reason_is_told_on_the_pages(tmp_path: Path) -> None:
    web = WebUi(tmp_path, KIOSK_SIMULATOR_ARGS="--no-such-argument")
    answer = web.submit(3, run_name="none")
    assert answer["success"] is False
    assert "The simulated Kiosk ended" in answer["message"]
    wait_until(lambda: web.get("/kiosk/data.json").json()["refusal"], what="the page's refusal")
    assert "The simulated Kiosk ended" in web.get("/kiosk/data.json").json()["refusal"]
    rows = web.get("/stats/requests").json()["extended_stats"][0]["data"]
    wait_until(lambda: web.state == "stopped", what="the UI's stop")
    assert rows
    web.signal(signal.SIGINT)
    web.finish()


def test_a_job_type_that_a_simulated_kiosk_does_not_know_is_told_to_who_clicked(
    tmp_path: Path,
) -> None:
    web = WebUi(tmp_path)
    answer = web.submit(3, run_name="wrong", job_type="Segmentation")
    assert answer["success"] is False
    assert "JOB_TYPE 'Segmentation': the Kiosk at " in answer["message"]
    assert web.get("/stats/requests").json()["state"] == "stopped"  # kept by Locust for 2 s
    assert web.submit(3, run_name="right")["success"]
    assert web.get("/stats/requests").json()["state"] in ("spawning", "running")
    assert web.written("simulated_right") == {"done": 3}
    rows = web.get("/stats/requests").json()["extended_stats"][0]["data"]
    assert "did not start" not in str(rows)
    web.signal(signal.SIGINT)
    assert web.finish().code == 0


# -- the process


def test_the_form_is_checked_behind_the_login(kiosk: Simulator, tmp_path: Path) -> None:
    made = made_by(kiosk)
    locustfile = Path(__file__).parents[1] / "locustfiles" / "login.py"
    web = WebUi(tmp_path, "--web-login", host=kiosk.url, locustfile=locustfile)
    form = {"user_count": "2", "spawn_rate": "50", "model": "noversion"}
    stranger = requests.post(f"{web.url}/swarm", data=form, timeout=10)
    assert "noversion" not in stranger.text
    with requests.Session() as session:
        session.get(f"{web.url}/let-me-in", timeout=10)
        refused = session.post(f"{web.url}/swarm", data=form, timeout=10).json()
        assert "noversion" in refused["message"]
        assert made() == []
        del form["model"]
        session.post(f"{web.url}/swarm", data=form, timeout=10)
        wait_until(lambda: len(made()) == 2, what="2 submissions")
    web.signal(signal.SIGINT)
    web.finish()


def test_ctrl_c_in_mid_run_writes_everything_and_exits_2(kiosk: Simulator, tmp_path: Path) -> None:
    made = made_by(kiosk)
    web = WebUi(tmp_path, host=kiosk.url)
    web.start("broken-off", users=100, rate=20)
    wait_until(lambda: len(made()) >= 10, what="10 submissions")
    web.signal(signal.SIGINT)
    finished = web.finish()
    submitted = len(made())
    assert finished.code == 2, finished.output
    assert finished.outcomes == {"done": submitted, "unfinished": 100 - submitted}
    assert "interrupted by Ctrl-C" in finished.output


def test_autostart_runs_by_itself_and_autoquit_ends_the_process(
    kiosk: Simulator, tmp_path: Path
) -> None:
    made = made_by(kiosk)
    arguments = ("--autostart", "-u", "8", "-r", "100")
    folders = [tmp_path / "quits", tmp_path / "stays"]
    for folder in folders:
        folder.mkdir()
    settings = {"host": kiosk.url, "RUN_NAME": "auto"}
    quits = WebUi(folders[0], *arguments, "--autoquit", "1", **settings)
    stays = WebUi(folders[1], *arguments, **settings)
    finished = quits.finish()
    assert (finished.code, finished.outcomes) == (0, {"done": 8}), finished.output
    assert stays.written("auto") == {"done": 8}
    assert len(made()) == 16
    stays.start("by-hand", users=3, rate=100)
    assert stays.written("by-hand") == {"done": 3}
    stays.signal(signal.SIGINT)
    assert stays.finish().code == 0


def test_the_first_run_of_the_form_resumes_and_later_ones_are_new(tmp_path: Path) -> None:
    with simulator("--predict-s=1") as kiosk:
        first = Locust(tmp_path, "-u", "30", "-r", "20", "--run-name", "a", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) >= 10, what="10 submissions")
        first.process.kill()
        first.process.wait()
        web = WebUi(tmp_path, "--resume", "a", host=kiosk.url)
        try:
            shown = web.page()
            refused = web.submit(30, 20, count="31")
            assert not refused["success"]
            assert "the ledger results/a.db has count 30" in refused["message"]
            answer = web.submit(int(shown["num_users"]), 20)
            assert answer["success"], answer
            assert web.written("a") == {"done": 30}
            web.start("b", 30, 20)
            assert web.written("b") == {"done": 30}
        finally:
            web.signal(signal.SIGINT)
            web.finish()
        ambiguous = web.sql("a", "SELECT sum(ambiguous) FROM tickets")[0][0]
        assert 60 <= len(kiosk.submissions) <= 60 + ambiguous
