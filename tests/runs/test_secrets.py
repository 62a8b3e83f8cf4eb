"""Passwords, tokens and keys are planted, and searched for in all that runs leave and send.

The servers that should get one repeat it in all their answers, as some do in error pages.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk_locust.config.table import SECRETS
from tests.helpers.proxies import Proxy
from tests.helpers.real import CLEAN, LOCUSTFILE, PYTHONPATH, Locust, simulator, wait_until
from tests.helpers.servers import Connection, RawServer, answering, raw_answer, refusing_url
from tests.runs.test_webui import WebUi

PLANTED: dict[str, Any] = {
    "GRAFANA_USER": "canary-user-1",
    "GRAFANA_PASSWORD": "canary-pass/word-2",
    "PROMETHEUS_USER": "canary-user-3",
    "PROMETHEUS_PASSWORD": "canary-password-4",
    "PROMETHEUS_TOKEN": "canary-token-5",
    "WEB_LOGIN_USER": "canary-user-8",
    "WEB_LOGIN_PASSWORD": "canary-password-9",
}
IN_DOTENV = {"GRAFANA_TOKEN": "canary-token-6", "SOMEBODYS_API_KEY": "canary-key-7"}
PATHS = (
    *("/", "/kiosk", "/kiosk/data.json", "/kiosk/jobs.csv", "/kiosk/runs"),
    *("/kiosk/runs/planted-run", "/kiosk/runs/planted-run/data.json"),
    *("/kiosk/runs/planted-run/jobs.csv", "/kiosk/runs/planted-run/files/planted-run.db"),
    *("/stats/requests", "/stats/report", "/stats/requests/csv", "/stats/failures/csv"),
    *("/stats/requests_full_history/csv", "/exceptions", "/exceptions/csv", "/tasks", "/logs"),
)


def forms(planted: Mapping[str, str]) -> set[str]:
    """The secrets as they are, and as HTTP's Basic login writes them."""
    found = set(planted.values())
    for prefix in ("GRAFANA", "PROMETHEUS"):
        pair = f"{planted.get(f'{prefix}_USER', '')}:{planted.get(f'{prefix}_PASSWORD', '')}"
        if len(pair) > 1:
            found.add(base64.b64encode(pair.encode()).decode())
    return found


def told(planted: Mapping[str, str], *where: bytes | str) -> list[str]:
    """The secrets that stand in any of the texts."""
    texts = [text.encode() if isinstance(text, str) else text for text in where]
    return [each for each in sorted(forms(planted)) if any(each.encode() in t for t in texts)]


def written_in(folder: Path) -> dict[str, bytes]:
    """All files of a run, but for the one that the secrets are read from."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".env")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def command_lines() -> str:
    """Those of all processes of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode("latin-1"))
        except OSError:  # it has ended
            continue
    return "\n".join(found)


def repeating(connection: Connection) -> None:
    """Answer 403 with what came as login, in plain words, too."""
    while request := connection.read_request():
        login = request.headers.get("authorization", "")
        kind, _, pair = login.partition(" ")
        plain = base64.b64decode(pair).decode() if kind == "Basic" else pair
        body = json.dumps({"message": f"no: {login} is {plain}"}).encode()
        connection.send(raw_answer(403, body, "application/json"))


@dataclass(frozen=True)
class Left:
    """All that a run left and sent."""

    files: Mapping[str, bytes]
    pages: Mapping[str, bytes]
    messages: bytes
    commands: str
    grafana: list[str]  # the logins that it was sent
    prometheus: list[str]
    elsewhere: int  # connections to where Grafana redirects
    kiosk: str
    codes: tuple[int, int]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Left]:
    """One run of a master with a web UI and a worker, each with its log at DEBUG."""
    folder = tmp_path_factory.mktemp("secrets")
    in_file = tmp_path_factory.mktemp("secret-files") / "password"
    in_file.write_text(PLANTED["GRAFANA_PASSWORD"] + "\n")
    planted = PLANTED | {"GRAFANA_PASSWORD": "", "GRAFANA_PASSWORD_FILE": str(in_file)}
    at_worker = planted | {"GRAFANA_PASSWORD_FILE": "/no/such/file"}  # workers read none
    (master := folder / "master").mkdir()
    (there := folder / "worker").mkdir()
    dotenv = "".join(f"{name}={value}\n" for name, value in IN_DOTENV.items())
    with (
        simulator() as kiosk,
        RawServer(repeating) as prometheus,
        RawServer(answering(b"")) as elsewhere,
    ):
        place = f"Location: http://localhost:{elsewhere.port}/login\r\n"
        moved = f"HTTP/1.1 302 F\r\n{place}Content-Length: 0\r\n\r\n".encode()
        with RawServer(answering(moved)) as grafana, RawServer(answering(b"")) as free:
            port = free.port
            free.__exit__(None, None, None)
            web = WebUi(
                master,
                *("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)),
                *("--loglevel", "DEBUG", "--csv", "stats"),
                host=kiosk.url,
                dotenv=dotenv,
                GRAFANA_HOST=grafana.url,
                PROMETHEUS_URL=prometheus.url,
                **planted,
            )
            with Proxy(port) as between:
                worker = Locust(
                    there,
                    *("--worker", "--master-port", str(between.port), "--loglevel", "DEBUG"),
                    headless=False,
                    dotenv=dotenv,
                    **at_worker,
                )
                wait_until(lambda: b"client_ready" in between.passed, what="the worker's word")
                web.start("planted-run", 5)
                commands = command_lines()
                web.written("planted-run")
                pages = {path: web.get(path).content for path in PATHS}
                web.process.terminate()
                codes = web.finish().code, worker.finish().code
            yield Left(
                files=written_in(folder),
                pages=pages,
                messages=bytes(between.passed),
                commands=commands,
                grafana=[r.headers.get("authorization", "") for r in grafana.requests],
                prometheus=[r.headers.get("authorization", "") for r in prometheus.requests],
                elsewhere=elsewhere.connections,
                kiosk=json.dumps(kiosk.log()),
                codes=codes,
            )


ALL = PLANTED | IN_DOTENV


def test_those_whom_the_secrets_are_for_get_them(left: Left) -> None:
    assert "Bearer canary-token-5" in left.prometheus
    pair = (
        f"{PLANTED['GRAFANA_USER']}:{PLANTED['GRAFANA_PASSWORD']}".encode()
    )  # the latter in a file
    assert f"Basic {base64.b64encode(pair).decode()}" in left.grafana
    assert len(left.prometheus) + len(left.grafana) >= 2


def test_no_secret_is_in_a_file_that_a_run_leaves(left: Left) -> None:
    names = left.files.keys()
    for kind in (".db", ".html", ".json", ".csv", "benchmark.log", "output.txt"):
        assert any(name.endswith(kind) for name in names), kind
    assert b"planted-run" in b"".join(left.files.values())
    assert {name: found for name, data in left.files.items() if (found := told(ALL, data))} == {}


def test_no_secret_is_on_a_page(left: Left) -> None:
    assert b"planted-run" in left.pages["/kiosk/runs/planted-run/data.json"]
    assert b"prometheus" in left.pages["/logs"].lower()  # what it said stands there
    assert {path: found for path, data in left.pages.items() if (found := told(ALL, data))} == {}


def test_no_secret_is_in_a_message_between_master_and_worker(left: Left) -> None:
    assert b"planted-run" in left.messages
    assert told(ALL, left.messages) == []


def test_no_secret_is_among_the_arguments_of_a_process(left: Left) -> None:
    assert str(LOCUSTFILE) in left.commands
    assert told(ALL, left.commands) == []


def test_no_secret_goes_to_the_kiosk_or_to_where_somebody_redirects(left: Left) -> None:
    assert '"predicts"' in left.kiosk
    assert told(ALL, left.kiosk) == []
    assert left.elsewhere == 0


def test_what_lies_open_is_told_without_what_it_is(left: Left) -> None:
    output = left.files["master/output.txt"].decode()
    assert ".env holds GRAFANA_TOKEN, SOMEBODYS_API_KEY and can be read by" in output
    assert "chmod 600 .env" in output


def test_each_secret_of_the_table_is_planted() -> None:
    assert {secret.env for secret in SECRETS} <= ALL.keys()


# -- words to whoever asks, without a run


def check(folder: Path, *arguments: str, **settings: str) -> str:
    """What `python -m kiosk_locust check` says."""
    done = subprocess.run(
        [sys.executable, "-m", "kiosk_locust", "check", "--file", "image.png", *arguments],
        cwd=folder,
        env=CLEAN | {"PYTHONPATH": PYTHONPATH} | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


LOGIN = "canary-user:canary-password@"


def test_a_login_in_any_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = check(
        tmp_path,
        *("--host", f"http://{LOGIN}kiosk.example", "--download-hosts", f"{LOGIN}10.0.0.1"),
        *("--storage-bucket", f"gs://{LOGIN}bucket"),
        GRAFANA_HOST=f"http://{LOGIN}grafana.example",
        PROMETHEUS_URL=f"{LOGIN}prometheus.example",
        API_HOST=f"https:/{LOGIN}kiosk.example",
        UPDATE_INTERVAL=f"{LOGIN}1",
    )
    for name in (
        "--host",
        "--storage-bucket",
        "GRAFANA_HOST",
        "PROMETHEUS_URL",
        "--download-hosts",
    ):
        assert name in said
    assert "canary" not in said


def test_a_key_file_that_is_none_and_a_proxy_that_is_away_tell_no_secret(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "kiosk",
                "client_email": "kiosk@kiosk.iam.gserviceaccount.com",
                "token_uri": "http://127.0.0.1:9/token",
                "private_key": "-----BEGIN PRIVATE KEY-----\ncanary-key\n-----END PRIVATE KEY-----",
                "private_key_id": "canary-key-id",
            }
        )
    )
    key.chmod(0o644)
    with refusing_url() as away:
        proxy = away.replace("http://", f"http://{LOGIN}")
        said = check(
            tmp_path,
            *("--host", away, "--storage-bucket", "gs://kiosk-bucket"),
            GOOGLE_APPLICATION_CREDENTIALS=str(key),
            GRAFANA_HOST="http://grafana.invalid",
            GRAFANA_USER="canary-user",
            GRAFANA_PASSWORD="prom-operator",
            HTTP_PROXY=proxy,
            HTTPS_PROXY=proxy,
            http_proxy=proxy,
            https_proxy=proxy,
        )
    assert "the key file" in said
    assert "chmod 600" in said
    assert "GRAFANA_PASSWORD is one that everybody knows" in said
    assert "prom-operator" not in said
    assert "GRAFANA_HOST (http://grafana.invalid) cannot be reached" in said
    assert "canary" not in said
