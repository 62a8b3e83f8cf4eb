"""What a Prometheus is served, told by a real one that scrapes a real run."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.model.record import StatusChange
from kiosk_locust.monitoring.prometheus import Exposition
from tests.cost.servers import need_prometheus
from tests.helpers.clocks import ManualClock
from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.records import record, tell_closed
from tests.helpers.servers import free_port


@contextmanager
def scraping(folder: Path, target: int, path: str = "/metrics") -> Iterator[str]:
    """Give the URL of a Prometheus that scrapes a port of this machine twice a second."""
    folder.mkdir()
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(
        "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
        f"scrape_configs: [{{job_name: run, metrics_path: {path},"
        f" static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def value(prometheus: str, query: str) -> float | None:
    """The one value that a query has; None where it has none, or nobody answers yet."""
    try:
        url = f"{prometheus}/api/v1/query"
        answer = requests.get(url, params={"query": query}, timeout=5)
    except requests.ConnectionError:
        return None
    if answer.status_code == 503:  # it listens before it is ready
        return None
    found = answer.json()["data"]["result"]
    return float(found[0]["value"][1]) if found else None


def test_a_real_prometheus_scrapes_a_run_without_a_web_ui(tmp_path: Path) -> None:
    need_prometheus()
    port = free_port()
    arguments = ("-u", "30", "-r", "10", "--metrics", "--metrics-port", str(port))
    with simulator("--predict-s=0.6") as kiosk, scraping(tmp_path / "prometheus", port) as asked:
        wait_until(lambda: value(asked, "up") is not None, what="the first scrape")
        run = Locust(tmp_path, *arguments, host=kiosk.url)
        wait_until(lambda: (value(asked, 'kiosk_jobs_total{outcome="done"}') or 0) >= 10)
        page = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5)
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=page.content, capture_output=True, check=False
        )
        submitted = value(asked, "kiosk_jobs_submitted_total")
        assert 10 <= (submitted or 0) <= len(kiosk.submissions) <= 30
        assert value(asked, "kiosk_jobs_planned") == 30
        in_flight = value(asked, "max_over_time(kiosk_jobs_in_flight[1m])") or 0
        assert 1 <= in_flight <= 30
        wanted = value(asked, "kiosk_wanted_jobs_per_second") or 0
        assert 9 < wanted < 11
        median_s = value(asked, "histogram_quantile(0.5, kiosk_job_duration_seconds_bucket)")
        assert median_s is not None
        assert 0.5 <= median_s <= 1  # the bucket that 0.6 s is in
        assert (value(asked, "kiosk_submission_lag_seconds_count") or 0) >= 10
        assert (value(asked, 'kiosk_job_stage_seconds_count{stage="total"}') or 0) >= 9
        finished = run.finish()
    assert finished.code == 0, finished.output
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_figures_are_served_only_where_that_is_asked_for(tmp_path: Path) -> None:
    with simulator("--predict-s=0.6") as kiosk:
        port = free_port()  # not that of the simulator
        run = Locust(tmp_path, "-u", "2", "--metrics-port", str(port), host=kiosk.url)
        wait_until(lambda: kiosk.submissions, what="a submission")
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))  # else it may get this very port, and reach itself
            assert sock.connect_ex(("127.0.0.1", port)) != 0
        run.finish()


def test_a_web_ui_serves_them_below_its_base_path(tmp_path: Path) -> None:
    port = free_port()
    arguments = ("--web-port", str(port), "--web-host", "127.0.0.1", "--web-base-path", "/load")
    with simulator() as kiosk:
        run = Locust(
            tmp_path, *arguments, "--metrics", "--autostart", "-u", "5", "-r", "50",
            host=kiosk.url, headless=False,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}/load/metrics"
        try:
            wait_until(lambda: 'outcome="done"} 5.0' in text(url), what="the end of 5 jobs")
            wait_until(lambda: 'verdict="valid"} 1.0' in text(url) or "invalid" in text(url))
        finally:
            run.process.terminate()
            run.finish()


def text(url: str) -> str:
    try:
        return requests.get(url, timeout=5).text
    except requests.ConnectionError:
        time.sleep(0.1)
        return ""


def test_labels_do_not_grow_with_what_the_kiosk_says() -> None:
    metrics = Metrics(ManualClock(), 500)
    exposition = Exposition(
        info={"run_name": "a"},
        view=metrics.view,
        rates=lambda: (None, None),
        verdict=lambda: "",
        is_over=lambda: False,
        checkpoint_age_s=lambda: None,
    )
    before = series(exposition)
    for number in range(500):
        made = record(number, file=f"{number}.png", reason=f"fault {number}")
        change = StatusChange(f"retry-predicting - {number} - X", 101.0, 100.0, None, "")
        metrics.on_submitted(made)
        metrics.on_status(made, change)
        exposition.on_submitted(made)
        tell_closed(exposition, made)
    assert series(exposition) == before


def series(exposition: Exposition) -> int:
    families = text_string_to_metric_families(exposition.text()[0].decode())
    return sum(len(family.samples) for family in families)
