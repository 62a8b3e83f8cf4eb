"""``python -m kiosk_locust.simulator`` as a user meets it."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from kiosk_locust.simulator.arguments import make_parser, parse_arguments
from kiosk_locust.simulator.faults import _KEYS
from kiosk_locust.simulator.settings import ClusterSettings, flag
from tests.simulator.clients import Client

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "kiosk_locust.simulator"]


def start(*words: str) -> tuple[subprocess.Popen[bytes], str]:
    """A running simulator, and its base URL."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    return process, str(json.loads(process.stdout.readline())["url"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_although_a_request_hangs(number: signal.Signals) -> None:
    process, url = start("--fault", "GET /api/jobtypes hang")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as hanging:
        hanging.sendall(b"GET /api/jobtypes HTTP/1.1\r\nHost: x\r\n\r\n")
        watcher = Client(url)
        while "GET /api/jobtypes" not in watcher.log()["requests"]:
            pass
        process.send_signal(number)
        out, err = process.communicate(timeout=3)
    assert process.returncode == 0
    assert out == b""
    assert b"Traceback" not in err
    watcher.close()


def test_without_being_told_so_it_does_not_watch_its_input() -> None:
    process, url = start()
    assert process.stdin
    process.stdin.close()
    process.stdin = None
    assert Client(url).get("/api/health-check").status == 200
    process.terminate()
    process.communicate(timeout=3)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*COMMAND, "--port", str(port)], cwd=ROOT, capture_output=True, timeout=10, check=False
        )
    assert done.returncode == 2
    assert f"cannot listen on --host 127.0.0.1 --port {port}".encode() in done.stderr
    assert done.stdout == b""


def test_neither_locust_nor_gevent_is_imported() -> None:
    program = (
        "import sys\n"
        "import kiosk_locust.simulator.__main__, kiosk_locust.simulator.server\n"
        "print([name for name in ('gevent', 'locust') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=10, check=True
    )
    assert done.stdout.strip() == b"[]"


def test_models_are_listed_as_by_a_frontend_whose_prefix_has_no_slash() -> None:
    process, url = start("--models", "Mesmer:1,Mesmer:2,Cyto:0", "--model-prefix", "models")
    client = Client(url)
    assert client.get("/api/models").json == {"models": {"Mesmer": [""], "Cyto": [""]}}
    client.close()
    process.terminate()
    process.communicate(timeout=3)


def test_models_and_job_types_can_be_given() -> None:
    process, url = start("--models", "Nuc:1,Nuc:2,Cyto:0", "--job-types", "spots, mesmer")
    client = Client(url)
    assert client.get("/api/models").json == {"models": {"Nuc": ["1", "2"], "Cyto": ["0"]}}
    assert client.get("/api/jobtypes").json == {"jobTypes": ["spots", "mesmer"]}
    client.close()
    process.terminate()
    process.communicate(timeout=3)


def test_every_setting_has_its_option_with_help() -> None:
    told = make_parser().format_help()
    for each in fields(ClusterSettings):
        assert flag(each.name) in told


def test_the_defaults_of_the_command_line_are_those_of_the_model() -> None:
    parsed = parse_arguments(["--seed", "0"])
    assert parsed.settings == ClusterSettings()
    assert (parsed.host, parsed.port, parsed.faults) == ("127.0.0.1", 8080, [])


def test_without_a_seed_each_run_has_another() -> None:
    assert parse_arguments([]).settings.seed != parse_arguments([]).settings.seed


def test_all_wrong_settings_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse_arguments(
            ["--failure-rate", "2", "--max-nodes", "0", "--predict-s", "-1", "--models", "Nuc"]
        )
    told = capsys.readouterr().err
    assert left.value.code == 2
    for name in ("--failure-rate = '2.0'", "--max-nodes = '0'", "--predict-s = '-1.0'"):
        assert name in told
    assert "--models = 'Nuc': write each model as name:version" in told


def test_a_wrong_fault_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--fault", "GET / explode"])
    assert "'explode' is no key of a fault rule" in capsys.readouterr().err


def test_the_page_for_users_has_every_option_with_its_default_and_every_key_of_a_rule() -> None:
    page = "".join(path.read_text() for path in (ROOT / "docs" / "reference").glob("simulator*.md"))
    rows = dict(re.findall(r"^\| `(--[a-z-]+)[^|`]*` \| ([^|]*) \|", page, re.MULTILINE))
    for each in fields(ClusterSettings):
        default = each.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default)
        if isinstance(default, bool):
            shown = "on" if default else "off"
        if each.name != "seed":
            assert rows[flag(each.name)].strip().strip("`") == (shown or "none")
    assert {"--host", "--port", "--fault", "--until-stdin-closes", "--seed"} <= rows.keys()
    for key in _KEYS:
        assert re.search(rf"^\| `{key}[=`]", page, re.MULTILINE), key
