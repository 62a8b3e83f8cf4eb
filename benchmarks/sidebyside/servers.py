"""What clients run against: the simulated Kiosk, and nginx with fixed bodies.

Both say how many requests they have answered, so that no client is believed about that.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import requests

from kiosk_locust.model.job_hash import FIELDS
from sidebyside.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or ""
NO_NGINX = "nginx is not installed (Debian: apt-get install nginx-light)"
#: Each submission takes one of these ways in, so its count is that of jobs.
SUBMIT, EXPIRE = "POST /api/predict", "POST /api/redis/expire"


@dataclass(frozen=True)
class Counts:
    """What a server has answered so far."""

    requests: int
    submitted: int
    expired: int  # the last request of a job
    connections: int = 0  # most open at once; 0: not known


@dataclass(frozen=True)
class Server:
    """A server that is up, and how to ask for its counts."""

    name: str
    url: str
    pids: tuple[int, ...]
    counts: Callable[[], Counts]


@contextmanager
def simulated_kiosk(job_s: float, *arguments: str) -> Iterator[Server]:
    """A simulated Kiosk whose jobs begin at once and take exactly ``job_s`` seconds."""
    command = [
        *(sys.executable, "-m", "kiosk_locust.simulator", "--port=0", "--until-stdin-closes"),
        *("--seed=1", "--spread=0", "--jobs-per-gpu=1000000", "--max-nodes=1"),
        *("--download-s=0", "--preprocess-s=0", "--postprocess-s=0", "--save-s=0"),
        *(f"--predict-s={job_s}", *arguments),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("the simulated Kiosk has no pipes")
        try:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the simulated Kiosk did not start")
            url = str(json.loads(line)["url"])
            session = requests.Session()  # a kept connection: as little work as can be
            yield Server("simulator", url, (process.pid,), lambda: simulator_counts(session, url))
        finally:
            process.kill()


def simulator_counts(session: requests.Session, url: str) -> Counts:
    """What a simulated Kiosk says that it has answered."""
    answer = session.get(f"{url}/simulator/counts", timeout=60).json()
    by_call: dict[str, int] = answer["requests"]
    return Counts(
        sum(by_call.values()),
        by_call.get(SUBMIT, 0),
        by_call.get(EXPIRE, 0),
        answer["connections"]["most_open"],
    )


@contextmanager
def nginx() -> Iterator[Server]:
    """Run nginx with one worker, whose jobs are done at once: three requests are a job."""
    if not NGINX:
        raise SystemExit(NO_NGINX)
    with tempfile.TemporaryDirectory(prefix="kiosk-nginx-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)  # its worker may run as another user
        (folder / "nginx.conf").write_text(nginx_configuration(folder, port))
        command = [NGINX, "-p", name, "-c", str(folder / "nginx.conf"), "-e", "error.log"]
        with subprocess.Popen(command) as process:
            url = f"http://127.0.0.1:{port}"
            session = requests.Session()
            try:
                _wait_for(url, process)
                yield Server("nginx", url, (process.pid,), lambda: nginx_counts(session, url))
            finally:
                process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        if process.poll() is not None:
            break
        with suppress(requests.ConnectionError):
            requests.get(f"{url}/status", timeout=5)
            return
        time.sleep(0.05)
    raise SystemExit("nginx did not start; what it says stands above")


def nginx_counts(session: requests.Session, url: str) -> Counts:
    """From its stub_status; asking counts too, and is too rare to matter."""
    return stub_counts(session.get(f"{url}/status", timeout=60).text)


def stub_counts(text: str) -> Counts:
    """A page of stub_status as counts, where each job takes three requests."""
    found = re.search(r"requests\s+\d+ \d+ (\d+)", text)
    if found is None:
        raise ValueError(f"no page of stub_status: {text[:200]!r}")
    total = int(found[1])
    return Counts(total, total // 3, total // 3)


def nginx_configuration(folder: Path, port: int) -> str:
    """The whole configuration; ``$request_id`` gives each job an id of its own."""
    values = ["done" if name == "status" else None for name in FIELDS]
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    for name in ("created_at", "updated_at", "finished_at"):
        values[FIELDS.index(name)] = moment
    bodies = {
        "/api/predict": '{"hash":"mesmer:image.png:$request_id"}',
        "/api/redis": json.dumps({"value": values}),
        "/api/status": '{"status":"done"}',
        "/api/redis/expire": '{"value":1}',
        "/api/jobtypes": '{"jobTypes":["mesmer"]}',
        "/api/models": '{"models":{}}',
        "/api/health-check": '{"message":"OK"}',
    }
    locations = "\n".join(
        f"        location = {path} {{ return 200 '{body}'; }}" for path, body in bodies.items()
    )
    temporary = "\n".join(
        f"    {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
{temporary}
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 75s;
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /status {{ stub_status; }}
{locations}
    }}
}}
"""
