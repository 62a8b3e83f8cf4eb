"""What the web form may set, posted as anybody can who reaches the page, to one process."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from locust.argument_parser import default_args_dict
from PIL import Image

from kiosk_locust.config.table import SETTINGS
from tests.helpers.real import Simulator, simulator, wait_until
from tests.helpers.servers import Connection, RawServer, answering, html_answer, json_answer
from tests.runs.test_webui import WebUi, made_by

CANARY = "canary-2718281828"
TOKEN = "canary-token-314"
HIDDEN = [setting.name for setting in SETTINGS.values() if not setting.in_form]
#: Locust's own options that no page shows, of several kinds.
LOCUSTS_HIDDEN = (
    "csv_prefix",
    "headless",
    "html_file",
    "loglevel",
    "logfile",
    "tags",
    "locustfile",
)
READ_BY_ALL = (
    *("/", "/kiosk", "/kiosk/data.json", "/kiosk/runs", "/stats/requests", "/stats/report"),
    *("/exceptions", "/logs"),
)


@dataclass(frozen=True)
class Place:
    """A web UI and everything around it."""

    web: WebUi
    kiosk: Simulator
    grafana: RawServer  # the operator's
    folder: Path  # where the process runs; ``shared`` below it is named by FORM_FILES

    def post(self, **fields: str) -> requests.Response:
        """Post these fields beside those that Locust wants."""
        data = {"user_count": "1", "spawn_rate": "50", **fields}
        return requests.post(f"{self.web.url}/swarm", data=data, timeout=30)

    def said(self, **fields: str) -> str:
        """What a start with these fields is refused with."""
        answer = self.post(**fields)
        assert answer.json()["success"] is False, answer.text
        return str(answer.json()["message"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("form")
    (folder / "shared").mkdir()
    Image.new("L", (8, 8)).save(folder / "shared" / "image.png")
    (folder / "shared" / "words.txt").write_text(f"1\n{CANARY}\n")
    (folder / "secret.txt").write_text(f"{CANARY}\n")
    (folder / "shared" / "link.txt").symlink_to(folder / "secret.txt")
    with simulator("--predict-s=0.5") as kiosk, RawServer(answering(json_answer([]))) as grafana:
        web = WebUi(
            folder,
            "--form-files",
            "shared",
            host=kiosk.url,
            GRAFANA_HOST=grafana.url,
            GRAFANA_TOKEN=TOKEN,
            LABEL="ours",
            INPUT_CHECKS="none",
        )
        yield Place(web, kiosk, grafana, folder)
        web.signal(signal.SIGINT)
        web.finish()


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    """The same, with no run on."""
    wait_until(lambda: shared.web.state in ("ready", "stopped"), what="the end of the run before")
    yield shared
    if shared.web.state not in ("ready", "stopped"):
        shared.web.stop()


# -- what is not in the form


def test_a_setting_that_is_not_in_the_form_is_refused_by_its_name_and_starts_nothing(
    place: Place,
) -> None:
    made = made_by(place.kiosk)
    for name in (*HIDDEN, *LOCUSTS_HIDDEN, "kiosk_url", "anything", "num_users", "__class__"):
        answer = place.post(**{name: CANARY})
        assert answer.status_code == 400, name
        assert name in answer.json()["message"]
        assert CANARY not in answer.text
    assert made() == []
    assert place.web.state in ("ready", "stopped")


def test_the_hidden_options_of_locust_are_options_of_locust() -> None:
    assert set(LOCUSTS_HIDDEN) <= default_args_dict().keys()


def test_fields_that_every_page_shows_are_all_taken(place: Place) -> None:
    page = place.web.page()
    fields = place.web.fields()
    assert len(fields) > 30
    assert not set(HIDDEN) & fields.keys()
    others = {"host": page["host"], "run_time": "", "profile": "mine", "workload": "often"}
    answer = place.post(**(fields | others))
    assert answer.status_code == 200
    assert "Workload in the form = 'often'" in answer.json()["message"]


def test_a_field_of_the_class_picker_is_refused_where_the_page_has_none(place: Place) -> None:
    for name in ("user_classes", "shape_class"):
        assert place.post(**{name: "KioskUser"}).status_code == 400
    settings = {"user_class_name": "Benchmark", "host": "http://elsewhere.invalid"}
    answer = requests.post(f"{place.web.url}/user", json=settings, timeout=10)
    assert answer.status_code == 400
    assert "--class-picker" in answer.json()["message"]


def test_no_server_but_the_operators_gets_the_login_whatever_is_posted(place: Place) -> None:
    with RawServer(answering(json_answer([]))) as elsewhere:
        for name in ("grafana_host", "prometheus_url"):
            assert place.post(**{name: elsewhere.url}, run_name="never").status_code == 400
        place.web.start("with-login", users=1)
        assert place.web.written("with-login") == {"done": 1}
        assert elsewhere.connections == 0
    logins = [request.headers.get("authorization") for request in place.grafana.requests]
    assert set(logins) == {f"Bearer {TOKEN}"}


def test_while_a_run_is_on_only_users_and_rate_are_taken_and_hidden_fields_refused(
    place: Place,
) -> None:
    made = made_by(place.kiosk)
    place.web.start("edited", users=2, rate=100, count="12", workload="closed")
    wait_until(lambda: len(made()) >= 2, what="2 submissions")
    fields = place.web.fields() | {"label": "theirs", "host": "http://elsewhere.invalid"}
    refused = place.post(output_dir=str(place.folder / "elsewhere"))
    edited = place.web.swarm(6, 100, **fields)
    assert refused.status_code == 400
    assert "output_dir" in refused.json()["message"]
    assert edited["success"], edited
    assert place.web.page()["num_users"] == 6
    assert place.web.page()["host"] == place.kiosk.url
    assert place.web.written("edited") == {"done": 12}
    assert {s["body"]["dataLabel"] for s in place.kiosk.submissions[-12:]} == {"ours"}
    assert not (place.folder / "elsewhere").exists()


def test_a_post_while_another_is_looked_at_is_refused(place: Place) -> None:
    def slow(connection: Connection) -> None:
        while connection.read_request():
            time.sleep(2)
            connection.send(html_answer())

    with RawServer(slow) as far, ThreadPoolExecutor(1) as pool:
        first = pool.submit(place.post, host=far.url)
        assert far.got_request.wait(20)
        assert "a run is being started" in place.said(label="theirs")
        assert place.post(grafana_host=far.url).status_code == 400
        assert first.result().json()["success"] is False
    assert place.web.state in ("ready", "stopped")


# -- what an earlier post set


def test_nothing_of_a_post_is_left_for_the_next_one(place: Place) -> None:
    place.web.start("set", users=1, label="theirs", profile="theirs", expire_time="77")
    assert place.web.written("set") == {"done": 1}
    assert place.post(run_name="unset").json()["success"]
    assert place.web.written("unset") == {"done": 1}
    bodies = [s["body"]["dataLabel"] for s in place.kiosk.submissions[-2:]]
    assert bodies == ["theirs", "ours"]
    before, after = (place.web.results(name) for name in ("set", "unset"))
    assert before is not None
    assert after is not None
    assert [run["configuration"]["expire_s"] for run in (before, after)] == [77, 3600]
    assert place.web.page()["profile"] != "theirs"


def test_a_form_that_locust_itself_refuses_leaves_nothing(place: Place) -> None:
    data = {"user_count": "1", "spawn_rate": "0", "host": place.kiosk.url, "profile": "theirs"}
    answer = requests.post(f"{place.web.url}/swarm", data=data, timeout=30)
    assert answer.json()["success"] is False
    assert place.web.page()["profile"] != "theirs"


# -- files of this machine


@pytest.mark.parametrize("field", ["arrival_trace", "prices", "file"])
def test_a_path_elsewhere_is_refused_whether_or_not_there_is_such_a_file(
    place: Place, field: str
) -> None:
    made = made_by(place.kiosk)
    more = {"upload": "true"} if field == "file" else {}
    paths = ("secret.txt", "none.txt", "shared/../secret.txt", "shared/link.txt", "/etc/hostname")
    said = {place.said(**{field: path}, **more).replace(path, "PATH") for path in paths}
    assert len(said) == 1
    assert "--form-files DIR (FORM_FILES)" in said.pop()
    assert made() == []


def test_a_file_that_the_form_may_name_is_told_of_by_its_lines_alone(place: Place) -> None:
    trace = place.said(arrival_trace="shared/words.txt")
    prices = place.said(prices="shared/words.txt")
    assert "line 2: each line must be a time" in trace
    assert "line 1: a header must stand above" in prices
    assert CANARY not in trace + prices


def test_a_file_below_the_folder_is_uploaded(place: Place) -> None:
    place.web.start("uploaded", users=1, upload="true", file="shared/image.png")
    assert place.web.written("uploaded") == {"done": 1}
    assert place.kiosk.uploads[-1]["size"] == (place.folder / "shared" / "image.png").stat().st_size


# -- what servers answer


def test_no_word_of_what_a_server_answers_to_a_posted_host_is_told_on_any_page(
    place: Place,
) -> None:
    answers = (
        html_answer(title=CANARY),
        html_answer(503, title=CANARY),
        json_answer({"message": CANARY}, 404),
        json_answer({"message": {"command": {"name": CANARY, "args": []}}}, 500),
        json_answer({"jobTypes": [CANARY]}),
        f"HTTP/1.1 302 F\r\nLocation: http://{CANARY}/\r\nContent-Length: 0\r\n\r\n".encode(),
    )
    for answer in answers:
        with RawServer(answering(answer)) as server:
            assert CANARY not in place.said(host=server.url, job_type="segmentation")
            assert server.connections
    for path in READ_BY_ALL:
        assert CANARY not in place.web.get(path).text, path


def test_the_process_wrote_nowhere_but_where_its_operator_said(place: Place) -> None:
    names = {path.name for path in place.folder.iterdir()}
    assert names <= {"shared", "secret.txt", "results", "benchmark.log", "output.txt"}
    assert json.loads(place.post(junit_xml="secret.txt").text)["success"] is False
    assert (place.folder / "secret.txt").read_text() == f"{CANARY}\n"
