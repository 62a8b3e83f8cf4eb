"""Ports that others have: one sentence with what to do, and exit code 2."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.helpers.real import run_locust


@pytest.mark.parametrize("more", [(), ("--autostart", "-u", "1")])
def test_a_taken_web_port_is_told_in_a_sentence_and_nothing_begins(
    tmp_path: Path, more: tuple[str, ...]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        web = ("--web-host", "127.0.0.1", "--web-port", str(port), "--simulate")
        left = run_locust(tmp_path, *web, *more, headless=False)
    assert left.code == 2, left.output
    assert f"--web-port = '127.0.0.1:{port}': the web UI cannot listen there" in left.output
    assert "Address already in use" in left.output
    assert "choose another --web-port" in left.output
    assert "Traceback" not in left.output
    assert not list(tmp_path.glob("results/*"))


def test_a_web_host_that_this_machine_has_not_is_told_so(tmp_path: Path) -> None:
    web = ("--web-host", "192.0.2.1", "--web-port", "8089", "--simulate")  # RFC 5737: nobody's
    left = run_locust(tmp_path, *web, headless=False)
    assert left.code == 2, left.output
    assert "this machine has no such address: correct --web-host" in left.output
    assert "Traceback" not in left.output
