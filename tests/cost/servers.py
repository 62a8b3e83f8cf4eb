"""A real Prometheus over given samples, and a Grafana before it: Basic auth, and its routes."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from tests.helpers.optional import need

USER, PASSWORD = "admin", "prom: opérator"
UID = "PBFA97CFB590B2093"


def need_prometheus() -> None:
    """Skip where Prometheus is not installed; with CI=true that is an error."""
    need("prometheus")


@contextmanager
def prometheus(folder: Path, samples: Path) -> Iterator[str]:
    """Give the URL of a Prometheus that has the samples (OpenMetrics text), old as they are."""
    data, config = folder / "data", folder / "prometheus.yml"
    config.write_text("{}\n")
    subprocess.run(
        [
            *("promtool", "tsdb", "create-blocks-from", "--max-block-duration=8760h"),
            *("openmetrics", str(samples), str(data)),
        ],
        check=True,
        capture_output=True,
    )
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}"),
            *("--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}"),
        ],
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if requests.get(f"{url}/-/ready", timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
    raise AssertionError("Prometheus did not get ready")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an ACK
    prometheus_url = ""
    queries: list[str]

    def do_GET(self) -> None:
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self._give(401, b'{"message": "Invalid username or password"}')
            return
        proxy = f"/monitoring/api/datasources/proxy/uid/{UID}"
        if self.path == "/monitoring/api/datasources":
            source = {"id": 3, "uid": UID, "name": "P", "type": "prometheus", "isDefault": True}
            self._give(200, json.dumps([{"type": "loki", "uid": "l"}, source]).encode())
        elif self.path.startswith(f"{proxy}/api/v1/"):
            self.queries.append(self.path)
            answer = requests.get(self.prometheus_url + self.path.removeprefix(proxy), timeout=60)
            self._give(answer.status_code, answer.content)
        else:
            self._give(404, b'{"message": "Not found"}')

    def _give(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as the base class has it
        """Say nothing."""


class GrafanaBefore:
    """A Grafana under the sub-path ``/monitoring`` whose data source is ``prometheus_url``."""

    def __init__(self, prometheus_url: str) -> None:
        self.queries: list[str] = []
        names = {"prometheus_url": prometheus_url, "queries": self.queries}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), names))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/monitoring"

    def __enter__(self) -> GrafanaBefore:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
