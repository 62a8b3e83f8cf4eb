"""What a job costs the process that runs it: processor time, and where it goes.

Runs the plugin, and beside it a bare FastHttpUser that does the least possible, in turns; the
processor time is this process's own, from one number of ended jobs to another, so that start and
end are left out. With ``--saturated`` jobs are done at once, on nginx with fixed bodies, as fast as
200 users can; else they take 2 s on the simulated Kiosk. From the root of the repository:

    python -m benchmarks.profile_job                       # 100 jobs/s, 3,000 jobs, 3 runs of each
    python -m benchmarks.profile_job --saturated
    python -m benchmarks.profile_job --who ours --profile profile.txt   # with py-spy, for a look
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.model.job_hash import FIELDS
from tests.helpers.real import CLEAN, ROOT, UNJUDGED, simulator
from tests.helpers.servers import free_port

LOCUSTFILE = ROOT / "benchmarks" / "profiled_locustfile.py"
JOB_S = 2.0
WAYS = ("bare", "ours")

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; default_type application/json;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /api/predict {{ return 200 '{{"hash":"predict:a.png:6f7c"}}'; }}
    location = /api/status {{ return 200 '{{"status":"done"}}'; }}
    location = /api/redis {{ return 200 '{{"value":{values}}}'; }}
    location = /api/redis/expire {{ return 200 '{{"value":1}}'; }}
    location = /api/jobtypes {{ return 200 '{{"jobTypes":["segmentation"]}}'; }}
    location = /api/models {{ return 200 '{{"models":{{}}}}'; }}
    location = /api/health-check {{ return 200 '{{"message":"OK"}}'; }}
  }}
}}
"""
_DONE = {
    "status": "done",
    "created_at": "2026-11-22T15:40:11.562Z",
    "updated_at": "2026-11-22T15:40:12.562000+00:00",
    "updated_by": "segmentation-consumer-6c5c4c4c5c-abcde",
    "finished_at": "2026-11-22T15:40:12.560000+00:00",
    "output_url": "https://storage.googleapis.com/bucket/output/a.zip",
    "output_file_name": "output/a.zip",
    "total_jobs": "1",
    "total_time": "0.91",
    "download_time": "0.12",
    "upload_time": "0.14",
}


@dataclass(frozen=True)
class Mark:
    """What a process had used by the end of so many jobs."""

    jobs: int
    cpu_s: float
    system_s: float  # of it, in system calls
    resident: int  # bytes
    peak: int  # bytes
    at: float  # seconds of the monotonic clock


@contextmanager
def nginx() -> Iterator[str]:
    """A server that answers each call with one fixed body; its URL."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        values = json.dumps([_DONE.get(field) for field in FIELDS])
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, values=values))
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        process = subprocess.Popen([binary, "-c", str(configuration), "-p", name, "-e", "stderr"])
        time.sleep(0.5)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def run_once(
    who: str,
    url: str,
    *,
    jobs: int,
    users: int,
    rate: float | None,
    poll_s: float,
    marks: tuple[int, ...],
    profile: Path | None = None,
    more: tuple[str, ...] = (),
) -> list[Mark]:
    """One run of one of WAYS; without a ``rate`` each user begins its next job at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
        command += ["-u", str(users), "--host", url, "--only-summary"]
        if who == "ours":
            command += ["--count", str(jobs), "--file", "a.png", "--update-interval", str(poll_s)]
            command += ["--workload", "open" if rate else "closed"]
            command += ["-r", str(rate)] if rate else []
            command += more
        else:
            command += ["-r", str(users)]
        if profile is not None:
            spy = str(Path(sys.executable).with_name("py-spy"))
            command = [
                spy,
                "record",
                "-f",
                "raw",
                "-r",
                "500",
                "--nonblocking",
                "-o",
                str(profile),
                "--",
                *command,
            ]
        environment = (
            CLEAN
            | UNJUDGED
            | {
                "PYTHONPATH": str(ROOT),
                "PROFILED": who,
                "MARKS": ",".join(map(str, marks)),
                "MARKS_FILE": str(folder / "marks"),
                "JOBS": str(jobs),
                "RATE": str(rate or ""),
                "USERS": str(users),
                "POLL_S": str(poll_s if rate else 0),
            }
        )
        done = subprocess.run(  # noqa: PLW1510  its marks tell
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900
        )
        if not (folder / "marks").exists():
            raise SystemExit(f"{who}: {done.returncode}\n{done.stderr[-3000:]}")
        lines = (folder / "marks").read_text().splitlines()
        return [Mark(**json.loads(line)) for line in lines]


def between(first: Mark, last: Mark) -> tuple[float, float, float]:
    """Processor time a job in ms, of it in system calls, and jobs a second, between two marks."""
    jobs = last.jobs - first.jobs
    cpu_s, system_s = last.cpu_s - first.cpu_s, last.system_s - first.system_s
    return cpu_s / jobs * 1000, system_s / jobs * 1000, jobs / (last.at - first.at)


def tell_memory(marks: tuple[int, ...]) -> None:
    """Print a line for each number of completed jobs, all of one run."""
    with nginx() as url:
        wide = ("--concurrent-requests-per-host", "200")
        jobs = max(marks)
        ended = run_once(
            "ours", url, jobs=jobs, users=200, rate=None, poll_s=0.01, marks=marks, more=wide
        )
    for mark in ended:
        resident_mb, peak_mb = mark.resident / 1e6, mark.peak / 1e6
        print(f"{mark.jobs:,} jobs completed: {resident_mb:.0f} MB, peak {peak_mb:.0f} MB")


def main() -> None:
    """Print a line for each run, then medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--rate", type=float, default=100.0, help="jobs a second")
    parser.add_argument("--saturated", action="store_true", help="on nginx, 200 users")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--who", choices=WAYS, help="only this one")
    parser.add_argument("--profile", type=Path, help="py-spy's stacks of one run go here")
    parser.add_argument("--memory", type=int, nargs="*", help="ours, by so many completed jobs")
    asked = parser.parse_args()
    if asked.memory:
        tell_memory(tuple(asked.memory))
        return
    os.environ.pop("MARKS_FILE", None)
    ways = (asked.who,) if asked.who else WAYS
    found: dict[str, list[float]] = {who: [] for who in ways}
    jobs = asked.jobs or (20_000 if asked.saturated else 3_000)
    marks = (jobs // 10, jobs * 9 // 10)
    for who in ways * asked.runs:
        if asked.saturated:
            with nginx() as url:
                ended = run_once(
                    who,
                    url,
                    jobs=jobs,
                    users=200,
                    rate=None,
                    poll_s=0.01,
                    marks=marks,
                    profile=asked.profile,
                    more=("--concurrent-requests-per-host", "200"),
                )
        else:
            with simulator(
                f"--predict-s={JOB_S}", "--spread=0", "--jobs-per-gpu=4000", quick=False
            ) as kiosk:
                ended = run_once(
                    who,
                    kiosk.url,
                    jobs=jobs,
                    users=min(jobs, 1000),
                    rate=asked.rate,
                    poll_s=JOB_S,
                    marks=marks,
                    profile=asked.profile,
                )
        cost_ms, system_ms, pace = between(*ended[:2])
        found[who].append(cost_ms)
        print(
            f"{who}: {cost_ms:.3f} ms a job ({system_ms:.3f} in the system) at {pace:.0f} jobs/s",
            flush=True,
        )
    for who, costs in found.items():
        print(f"{who}, median: {statistics.median(costs):.3f} ms a job")
    if len(ways) > 1:
        ratio = statistics.median(found["ours"]) / statistics.median(found["bare"])
        print(f"ours / bare: {ratio:.2f}")


if __name__ == "__main__":
    main()
