"""Every line of ``.env`` is a setting, a comment, or a mistake; what a shell says is the oracle."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from kiosk_locust.config.env_file import misspelt_names, parse_dotenv, read_dotenv
from kiosk_locust.config.resolve import resolve
from kiosk_locust.config.sources import Layers, environment_layers
from kiosk_locust.errors import OptionsError
from kiosk_locust.model.options import Options
from tests.cli.test_check import check
from tests.helpers.real import run_locust

URL = "http://kiosk.example.org"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _mistakes(text: str) -> list[str]:
    Path(".env").write_text(text, encoding="utf-8")
    return [str(mistake) for mistake in parse_dotenv()[1]]


@pytest.mark.parametrize(
    ("text", "line", "cure"),
    [
        (f"API_HOST: {URL}\n", 1, "write API_HOST=value"),
        (f"COUNT=3\n\n\n  API_HOST {URL}\n", 4, "write API_HOST=value"),
        ("COUNT=3\nGRAFANA_PASSWORD: hunter2\n", 2, "write GRAFANA_PASSWORD=value"),
        ("set COUNT=5\n", 1, "write NAME=value"),
        ("$env:COUNT=5\n", 1, "write NAME=value"),
        (f"API_HOST:{URL}?a=b\n", 1, "write API_HOST=value"),
        ("LABEL='a\n", 1, "with quotes closed"),
        ("=5\n", 1, "write NAME=value"),
        ('"COUNT"=5\n', 1, "write NAME=value"),
        ("- COUNT=5\n", 1, "write NAME=value"),
        ("COUNT\n", 1, "COUNT has no value"),
        ("COUNT=5\nexport COUNT\n", 2, "COUNT has no value"),
        (f"api_host={URL}\n", 1, "write API_HOST"),
        ("Count=5\n", 1, "write COUNT"),
        ("update-interval=5\n", 1, "write UPDATE_INTERVAL"),
        ("grafana_token=hunter2\n", 1, "write GRAFANA_TOKEN"),
        ("locust_headless=true\n", 1, "write LOCUST_HEADLESS"),
        ('LABEL="a\nCOUNT=5\nSCALE="\n', 1, "the quotes take in COUNT in line 2"),
    ],
)
def test_a_line_that_gives_no_setting_is_a_mistake(text: str, line: int, cure: str) -> None:
    mistake = _mistakes(text)[0]
    assert mistake.startswith(f".env, line {line}: ")
    assert cure in mistake
    assert "hunter2" not in mistake


def test_all_of_them_are_told_at_once_and_no_secret_is() -> None:
    text = f"API_HOST: {URL}\nCOUNT=3\nhunter2hunter2\ncount=4\nGRAFANA_PASSWORD hunter2\n"
    Path(".env").write_text(text, encoding="utf-8")
    with pytest.raises(OptionsError) as caught:
        read_dotenv()
    said = str(caught.value)
    assert [f"line {n}:" in said for n in range(1, 6)] == [True, False, True, True, True]
    assert "hunter2" not in said


GOOD = """\
# a comment
   # another
export COUNT=5
LABEL='a b'   # said why
SCALE=
  UPDATE_INTERVAL=2
SOMEBODYS_KEY="of two
lines, with name = value"
other_tool=1
GRAFANA_PASSWORD=a$b
"""


def test_what_is_good_is_read_as_a_shell_reads_it() -> None:
    Path(".env").write_text(GOOD.replace("a$b", "'a$b'"), encoding="utf-8")
    found = read_dotenv()
    script = "set -a; . ./.env; " + "".join(f'printf "%s\\0" "${name}"; ' for name in found)
    shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert list(found.values()) == shell.stdout.split("\0")[:-1]
    assert len(found) == 7


def test_a_name_that_is_merely_near_is_a_question() -> None:
    Path(".env").write_text("UPDATE_INTERVALL=3\n", encoding="utf-8")
    environ = {"update_interval": "3", "file": "x", "SOME_name": "y", "num_gpus": "1"}
    assert misspelt_names(read_dotenv(), environ | {"NUM_GPUS": "2"}) == [
        "update_interval in the environment is no setting: did you mean UPDATE_INTERVAL?",
        "UPDATE_INTERVALL in .env is no setting: did you mean UPDATE_INTERVAL?",
    ]


def test_the_name_of_one_of_locusts_own_settings_is_a_question() -> None:
    assert misspelt_names({"USERS": "3"}, {}) == [
        "USERS in .env is no setting: did you mean LOCUST_USERS?"
    ]


@pytest.mark.parametrize("name", ["API_HOTS", "API_HOSTS", "LOCUST_HOTS"])
def test_a_slip_in_the_name_of_the_host_starts_no_simulated_kiosk(name: str) -> None:
    with pytest.raises(OptionsError, match=f"{name} in .env.*speaks of a real Kiosk"):
        _resolved({name: URL})


def test_a_slip_beside_the_right_name_is_a_question_alone() -> None:
    assert _resolved({"API_HOTS": URL, "API_HOST": URL, "FILE": "a.png"}).host == URL


def test_a_slip_with_simulate_is_a_question_alone() -> None:
    assert _resolved({"API_HOTS": URL, "SIMULATE": "true"}).host is None


def _resolved(dotenv: dict[str, str]) -> Options:
    layers, signs = environment_layers({}, dotenv)
    given = Layers(layers, signs)
    return resolve(given, class_host=None, headless=True, rng=random.Random(1)).options


def test_check_refuses_it_with_every_other_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"API_HOST: {URL}\ncount=7\nUPDATE_INTERVALL=1\n")
    code, said = check(tmp_path, "--num-cycles=x")
    assert code == 2
    assert ".env, line 1: API_HOST is followed by a colon" in said
    assert ".env, line 2: count is no setting" in said
    assert "--num-cycles = 'x'" in said
    assert "no mistakes" not in said


def test_check_asks_of_names_that_are_merely_near(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("UPDATE_INTERVALL=1\n")
    code, said = check(tmp_path)
    assert code == 0
    assert "did you mean UPDATE_INTERVAL?" in said


def test_no_worker_is_left_looking_for_its_master(tmp_path: Path) -> None:
    done = run_locust(tmp_path, "-u1", "--processes", "2", dotenv="COUNT: 3\n")
    assert done.code == 2
    assert done.output.count(".env, line 1: COUNT is followed by a colon") == 1
    assert "master" not in done.output


@pytest.mark.parametrize("headless", [True, False])
def test_no_run_begins_and_no_page_is_served(tmp_path: Path, headless: bool) -> None:
    port = [] if headless else ["--web-port", "0"]
    done = run_locust(
        tmp_path, "-u1", "--count=x", *port, headless=headless, dotenv=f"API_HOST: {URL}\n"
    )
    assert done.code == 2
    assert ".env, line 1: API_HOST is followed by a colon" in done.output
    assert "--count = 'x'" in done.output
    assert not list(tmp_path.glob("results/*"))
