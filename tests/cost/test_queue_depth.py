"""Whether the Kiosk is idle, asked of a Prometheus; what runs do where it is not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from kiosk_locust.clock import SystemClock
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.cost.http import Endpoint, JsonClient
from kiosk_locust.cost.prometheus import Prometheus
from kiosk_locust.cost.queue_depth import IdleCheck, Queues, enforce_idle, queues
from kiosk_locust.errors import PreflightError
from kiosk_locust.reporting.remaining_work import RemainingWork
from tests.cost.servers import need_prometheus, prometheus
from tests.helpers.clocks import ManualClock
from tests.helpers.real import CLEAN, PYTHONPATH, Simulator, run_locust, simulator
from tests.helpers.scenarios import make_options

BUSY = Queues({"segmentation": 3, "segmentation-zip": 0})
IDLE = Queues({"segmentation": 0, "segmentation-zip": 0})


def submit(kiosk: Simulator, number: int) -> None:
    job: dict[str, Any] = {
        "jobType": "segmentation",
        "imageName": "a.png",
        "uploadedName": "uploads/a.png",
    }
    job |= {"jobForm": {"dimensionOrder": "XYB", "selectedChannels": "0,,", "scale": 1}}
    for _ in range(number):
        requests.post(f"{kiosk.url}/api/predict", json=job, timeout=10).raise_for_status()


@pytest.fixture(scope="module")
def kiosk() -> Iterator[Simulator]:
    """One that others keep busy for a minute."""
    with simulator("--predict-s=60") as found:
        submit(found, 3)
        yield found


def test_a_real_prometheus_tells_the_queues_of_a_job_type(tmp_path: Path) -> None:
    need_prometheus()
    now = int(time.time()) - 60
    lengths = {"segmentation": 4, "segmentation-zip": 2, "tracking": 9}
    samples = tmp_path / "samples.txt"
    rows = [f'redis_script_value{{key="{key}"}} {n} {now}\n' for key, n in lengths.items()]
    samples.write_text(f"# TYPE redis_script_value gauge\n{''.join(rows)}# EOF\n")
    with prometheus(tmp_path, samples) as url:
        web = JsonClient(Endpoint("PROMETHEUS_URL", url, ""), Secrets().prometheus, SystemClock())
        found = queues(Prometheus(web), "segmentation", now + 10.0, "it")
        other = queues(Prometheus(web), "polaris", now + 10.0, "it")
    assert found.lengths == {"segmentation": 4, "segmentation-zip": 2}
    assert str(found) == "it has 4 jobs in segmentation and 2 jobs in segmentation-zip"
    assert "knows no redis_script_value of polaris" in other.unknown


def test_a_run_is_refused_where_the_kiosk_must_be_idle(tmp_path: Path, kiosk: Simulator) -> None:
    finished = run_locust(
        tmp_path, "-u", "2", "--require-idle", "refuse",
        host=kiosk.url, GRAFANA_HOST=kiosk.url,
    )  # fmt: skip
    assert finished.code == 2
    assert "it has 3 jobs in segmentation" in finished.output
    assert len(kiosk.submissions) == 3
    assert not list(tmp_path.glob("results/*.db"))


def test_check_tells_it(tmp_path: Path, kiosk: Simulator) -> None:
    def check(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kiosk_locust", "check", "--host", kiosk.url]
        command += ["--file", "image.png", "--grafana-host", kiosk.url, *arguments]
        environment = CLEAN | {"PYTHONPATH": PYTHONPATH}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    told, refused = check(), check("--require-idle", "refuse")
    assert "the Kiosk's queues: it has 3 jobs in segmentation" in told.stderr
    assert (told.returncode, refused.returncode) == (0, 2), refused.stderr


def test_where_nobody_can_be_asked_it_says_what_to_set() -> None:
    looker = IdleCheck(make_options(), Secrets(), SystemClock(), {})
    assert str(looker.queues()).endswith("set GRAFANA_HOST or PROMETHEUS_URL")


@pytest.mark.parametrize("found", [BUSY, Queues(unknown="nobody knows")])
def test_what_must_be_idle_and_is_not_is_refused(found: Queues) -> None:
    with pytest.raises(PreflightError, match="REQUIRE_IDLE"):
        enforce_idle(lambda: found, "refuse", ManualClock(), resumes=False, is_ended=lambda: False)


def test_waiting_ends_when_the_kiosk_is_idle() -> None:
    clock = ManualClock()
    answers = [BUSY, BUSY, IDLE]
    enforce_idle(lambda: answers.pop(0), "wait", clock, resumes=False, is_ended=lambda: False)
    assert not answers
    assert clock.now() == 1000 + 2 * 15


def test_waiting_ends_when_somebody_ends_the_run() -> None:
    clock = ManualClock()
    with pytest.raises(PreflightError, match="was ended while it waited"):
        enforce_idle(
            lambda: BUSY, "wait", clock, resumes=False, is_ended=lambda: clock.now() >= 1020
        )
    assert clock.now() == 1020


def test_a_run_that_goes_on_is_never_refused_for_what_may_be_its_own() -> None:
    enforce_idle(lambda: BUSY, "refuse", ManualClock(), resumes=True, is_ended=lambda: False)


def test_what_is_left_costs_its_share_by_images() -> None:
    left = RemainingWork(
        jobs=12, images_per_job=100, images_done=6000, images_per_s=4.0, gpu_nodes_usd=3.0
    )
    assert left.images == 1200
    assert left.takes_s == 300
    price_usd_per_s = 3.0 / (6000 / 4.0)
    assert left.costs_usd == pytest.approx(price_usd_per_s * 300)
    first, second = left.lines()
    assert first == "left in the Kiosk: 12 jobs of this run, 1,200 images"
    assert second == (
        "to finish them takes about 5.0 min at this run's pace, and it costs $0.600 of GPU nodes"
    )


def test_what_cannot_be_told_of_what_is_left_is_said() -> None:
    def lines(images_per_job: int | None, pace: float | None) -> str:
        left = RemainingWork(3, images_per_job, 5 if pace else 0, pace, None)
        return list(left.lines())[-1]

    assert lines(None, 1.0).endswith("IMAGES_PER_JOB is not set")
    assert lines(1, None).endswith("no image was done")
    assert lines(1, 1.0).endswith("what it costs is not known, as the run's cost is not")
    assert list(RemainingWork(0, 1, 1, 1.0, 1.0).lines()) == []
