"""What a Prometheus sees of a run's end, and of its verdict before that; in OpenMetrics, too."""

from __future__ import annotations

import http.client
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from kiosk_locust.measurement.live_metrics import Metrics
from kiosk_locust.model.options import OutsideOptions
from kiosk_locust.model.record import Attempt, AttemptResult
from kiosk_locust.monitoring.load_generator import GeneratorWatch
from kiosk_locust.monitoring.metrics_server import MetricsServer
from kiosk_locust.monitoring.process import Watch
from kiosk_locust.monitoring.prometheus import Exposition
from tests.cost.servers import need_prometheus
from tests.helpers.clocks import ManualClock
from tests.helpers.real import Locust, simulator, wait_until
from tests.helpers.records import record, tell_closed
from tests.helpers.scenarios import make_options, make_record
from tests.helpers.servers import free_port
from tests.monitoring.test_metrics_server import scraping, value
from tests.runs.test_exits import last_line

OPENMETRICS = "application/openmetrics-text"
#: What Prometheus 2.42 sends.
ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def exposition(verdict: str = "", *, is_over: bool = False) -> Exposition:
    made = Exposition(
        info={"run_name": 'a "run" \\ [/x]\n'},
        view=Metrics(ManualClock(), 5).view,
        rates=lambda: (2.0, 1.5),
        verdict=lambda: verdict,
        is_over=lambda: is_over,
        checkpoint_age_s=lambda: 3.0,
    )
    tell_closed(made, record(1))
    return made


def samples(text: str, parse: object) -> dict[tuple[str, str], float]:
    families = parse(text)  # type: ignore[operator]
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_who_asks_for_openmetrics_gets_the_same_figures_in_it() -> None:
    made = exposition()
    text, content_type = made.text(ACCEPT)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.decode().endswith("\n# EOF\n")
    old, old_type = made.text("*/*")
    assert old_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# EOF" not in old
    figures = samples(text.decode(), openmetrics)
    assert figures == samples(old.decode(), plain)
    assert figures["kiosk_jobs_planned", "[]"] == 5


@pytest.mark.parametrize(
    ("verdict", "shown"), [("", "unknown"), ("VALID", "valid"), ("INVALID", "invalid")]
)
def test_exactly_one_verdict_is_1(verdict: str, shown: str) -> None:
    figures = samples(exposition(verdict).text()[0].decode(), plain)
    found = {labels: number for (name, labels), number in figures.items() if "verdict" in name}
    assert [labels for labels, number in found.items() if number == 1] == [
        f"[('verdict', '{shown}')]"
    ]
    assert sorted(found.values()) == [0, 0, 1]


def test_the_verdict_is_unknown_then_what_speaks_against_the_run_by_now() -> None:
    clock = ManualClock()
    watch = GeneratorWatch(make_options(count=1000), clock, "run", Watch(clock))
    verdicts = [watch.verdict()]
    for number in range(200):
        late_s = 0.0 if number < 100 else 2.0  # half of them: the p99 is 2 s
        job = make_record(number)
        asked_at = 100.0 + number + late_s
        result = AttemptResult.ACCEPTED
        job.attempts = [Attempt(1, asked_at, asked_at, asked_at, result, 200)]
        watch.lateness.on_submitted(job)
        if number in (99, 199):
            verdicts.append(watch.verdict())
    assert verdicts == ["", "VALID", "INVALID"]


# -- lingering


@pytest.fixture
def served() -> Iterator[tuple[MetricsServer, int]]:
    scraped, port = MetricsServer(), free_port()
    scraped.current = exposition("VALID", is_over=True)
    scraped.listen(OutsideOptions(metrics=True, port=port))
    yield scraped, port
    scraped.close()


def scrape(port: int, source: str = "127.0.0.1") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, 5, source_address=(source, 0))
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_it_goes_on_until_each_that_scraped_has_done_so_twice_more(
    served: tuple[MetricsServer, int],
) -> None:
    scraped, port = served
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        scrape(port, source)
    lingering = gevent.spawn(scraped.linger, 30.0)
    gevent.sleep(0.05)
    for source in ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2"):
        scrape(port, source)
        gevent.sleep(0.02)
        assert not lingering.dead
    assert "kiosk_run_over 1.0" in scrape(port, "127.0.0.2")
    lingering.join(5)
    assert lingering.dead


def test_it_goes_on_no_longer_than_it_may(served: tuple[MetricsServer, int]) -> None:
    scraped, port = served
    scrape(port)
    begun = time.monotonic()
    scraped.linger(0.2)
    assert 0.2 <= time.monotonic() - begun < 2
    assert not scraped.hurry()
    scraped.linger(30.0)  # whoever hurries once will not wait
    assert time.monotonic() - begun < 4


def test_before_the_first_run_there_is_nothing_in_either_format() -> None:
    assert MetricsServer().body("") == (b"", "text/plain; version=0.0.4; charset=utf-8")
    assert MetricsServer().body(OPENMETRICS)[0] == b"# EOF\n"


def test_a_real_prometheus_has_the_end_and_the_verdict_of_a_headless_run(tmp_path: Path) -> None:
    need_prometheus()
    port = free_port()
    arguments = ("--metrics", "--metrics-port", str(port), "--metrics-linger", "30")
    with simulator("--predict-s=0.6") as kiosk, scraping(tmp_path / "prometheus", port) as asked:
        wait_until(lambda: value(asked, "up") is not None, what="the first scrape")
        run = Locust(tmp_path, "-u", "20", "-r", "10", *arguments, host=kiosk.url)
        wait_until(lambda: (value(asked, 'kiosk_run_verdict{verdict="valid"}') or 0) == 1)
        in_mid_run = value(asked, "kiosk_run_over")
        begun = time.monotonic()
        finished = run.finish()
        took_s = time.monotonic() - begun
        last = "last_over_time({}[5m])"
        jobs = value(asked, last.format('kiosk_jobs_total{outcome="done"}'))
        over = value(asked, last.format("kiosk_run_over"))
        verdict = value(asked, last.format('kiosk_run_verdict{verdict="valid"}'))
        known = requests.get(f"{asked}/api/v1/metadata", timeout=5).json()["data"]
    assert (finished.code, jobs, over, verdict) == (0, 20, 1, 1), finished.output
    assert in_mid_run == 0
    assert took_s < 20  # two more scrapes, half a second apart
    assert known["kiosk_run"][0]["type"] == "info"  # there is no such type but in OpenMetrics
    assert last_line(finished) == "exit code 0: all 20 jobs are done"


def test_sigterm_ends_the_wait_for_scrapes_and_changes_no_exit_code(tmp_path: Path) -> None:
    port = free_port()
    with simulator() as kiosk:
        run = Locust(
            tmp_path,
            *("-u", "2", "--metrics", "--metrics-port", str(port), "--metrics-linger", "500"),
            host=kiosk.url,
        )
        wait_until(lambda: "its figures are served for 500 s more" in run.output)
        assert 'kiosk_jobs_total{outcome="done"} 2.0' in scrape(port)
        run.signal(signal.SIGTERM)
        finished = run.finish(10)
    assert finished.code == 0, finished.output
    assert last_line(finished) == "exit code 0: both jobs are done"


def test_prometheus_itself_reads_every_figure_of_openmetrics(tmp_path: Path) -> None:
    """By promtool, which imports OpenMetrics with times; its list of samples is compared."""
    need_prometheus()
    made = exposition("INVALID", is_over=True)
    lines = made.text(ACCEPT)[0].decode().splitlines()
    timed = [line if line.startswith("#") else f"{line} 1700000000" for line in lines]
    (tmp_path / "figures.txt").write_text("\n".join(timed) + "\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "figures.txt", "blocks"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (tmp_path / "blocks" / "wal").mkdir()  # without one, nothing is listed
    dumped = subprocess.run(
        ["promtool", "tsdb", "dump", "blocks"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()
    assert len(dumped) == len([line for line in lines if not line.startswith("#")])
    stored = Counter(float(line.split()[-2]) for line in dumped if "_created" not in line)
    assert stored == Counter(samples(made.text()[0].decode(), plain).values())
