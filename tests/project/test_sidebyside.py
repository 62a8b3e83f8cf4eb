"""What benchmarks compute of what they see, by examples worked out by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import million
from sidebyside import clients, servers, svg, tables, trial, turns, usage, window

from kiosk_locust.model.job_hash import FIELDS

STAT = "42 (a (b) c d) S 7 42 42 0 -1 0 1 2 3 4 150 50 9 9 20 0 1 0 100 1000 10"


def sample(at: float, ended: int, client_s: float, server_s: float, **more: float) -> Any:
    used = usage.Usage(client_s, more.get("waited_s", 0.0), 60.0)
    counts = servers.Counts(ended * 4 + 10, ended + 5, ended)
    return window.Sample(at, counts, used, usage.Usage(server_s))


def test_a_process_s_name_may_hold_brackets_and_spaces() -> None:
    assert usage.parent_of(STAT) == 7
    assert usage.cpu_in(STAT) == pytest.approx(200 / os.sysconf("SC_CLK_TCK"))


def test_a_family_is_a_process_and_its_children_but_not_its_parent() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            found = usage.family([os.getpid()])
        finally:
            child.kill()
    assert {os.getpid(), child.pid} <= found
    assert os.getppid() not in found


def test_what_a_child_has_computed_is_counted_as_its_own() -> None:
    code = "sum(range(20_000_000)); print(1, flush=True); input()"
    command = [sys.executable, "-c", code]
    before_s = os.times().children_user + os.times().children_system
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        used = usage.usage_of([child.pid])
        child.kill()
        child.wait()
    spent_s = os.times().children_user + os.times().children_system - before_s
    assert 0.05 < used.cpu_s <= spent_s + 0.02  # which are counted in ticks
    assert used.peak_mib > 5


def test_peak_memory_is_read_in_mib_and_a_zombie_has_none() -> None:
    assert usage.peak_in("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t 1 kB\n") == 2.0
    assert usage.peak_in("Name:\tx\nState:\tZ (zombie)\n") == 0.0


def test_figures_are_differences_between_two_moments() -> None:
    found = window.figures(sample(100, 50, 1.0, 2.0), sample(110, 1050, 3.0, 5.0))
    assert (found.jobs, found.jobs_s) == (1000, 100)
    assert found.cpu_ms_a_job == pytest.approx(2.0)
    assert found.requests_a_job == 4
    assert (found.client_share, found.server_share) == pytest.approx((0.2, 0.3))


def test_nothing_is_computed_where_no_job_has_ended() -> None:
    with pytest.raises(ValueError, match="no job"):
        window.figures(sample(100, 50, 1, 1), sample(110, 50, 2, 2))


@pytest.mark.parametrize(
    ("client_s", "waited_s", "server_s", "limit"),
    [
        (9.5, 0, 3, "client"),
        (6, 3.5, 3, "client (for want of a free core)"),
        (3, 0, 9, "server"),
        (9, 0, 9.9, "client and server"),
        (8, 0, 8, "neither"),
    ],
)
def test_the_limit_is_who_could_have_used_a_core_all_the_time(
    client_s: float, waited_s: float, server_s: float, limit: str
) -> None:
    after = sample(10, 1, client_s, server_s, waited_s=waited_s)
    assert window.busy_sides(sample(0, 0, 0, 0), after) == limit


def test_of_several_processes_the_busiest_may_be_the_limit() -> None:
    def at(moment: float, *used_s: float) -> Any:
        each = tuple(usage.Usage(seconds) for seconds in used_s)
        return replace(sample(moment, 0, sum(used_s), 0), processes=each)

    assert window.busy_sides(at(0, 0, 0, 0), at(10, 5, 5, 5)) == "neither"
    assert window.busy_sides(at(0, 0, 0, 0), at(10, 1, 9.5, 1)) == "client"


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    assert tables.ratio([1, 2, 10], [2, 4, 10]) == 2
    assert tables.spread([3, 1, 2]) == "2.00 (1.00 to 3.00)"
    assert tables.spread([1.5], 1) == "1.5"


def test_each_client_has_its_turn_in_every_round_and_another_one_begins() -> None:
    class Named(clients.Client):
        def __init__(self, name: str) -> None:
            self.name = name

    order = [(run, each.name) for run, each in turns.in_turns([Named("a"), Named("b")], 3)]
    assert order == [(1, "a"), (1, "b"), (2, "b"), (2, "a"), (3, "a"), (3, "b")]


def test_nginx_s_status_is_three_requests_a_job() -> None:
    text = "Active connections: 2 \nserver accepts handled requests\n 5 5 301 \nReading: 0"
    assert servers.stub_counts(text) == servers.Counts(301, 100, 100)
    with pytest.raises(ValueError, match="no page"):
        servers.stub_counts("<html>")


def test_nginx_answers_a_poll_with_as_many_values_as_are_asked_for(tmp_path: Path) -> None:
    text = servers.nginx_configuration(tmp_path, 1)
    (line,) = [line for line in text.splitlines() if "= /api/redis {" in line]
    body = json.loads(line.split("'")[1])
    assert len(body["value"]) == len(FIELDS)
    assert body["value"][FIELDS.index("status")] == "done"


def test_a_rate_is_judged_by_when_jobs_arrived() -> None:
    due = {str(number): 100 + number / 10 for number in range(101)}
    arrived = {key: at + (0.2 if key == "100" else 0.001) for key, at in due.items()}
    samples = (sample(0, 0, 0, 0), sample(10, 100, 5, 2))
    found = trial.make_trial((10.0, 0), arrived, due, samples)
    assert found.jobs == 101
    assert found.jobs_s == pytest.approx(100 / 10.199)
    assert (found.lag_p50_ms, found.lag_max_ms) == pytest.approx((1, 200))
    assert found.lag_p99_ms == pytest.approx(1)
    assert found.holds
    assert (found.client_share, found.server_share) == (0.5, 0.2)


def test_a_million_jobs_agree_only_if_all_counts_and_names_do() -> None:
    counts = servers.Counts(8, 2, 2)
    assert million.disagreements(counts, ["a", "b"], ["b", "a"], 2) == []
    assert len(million.disagreements(counts, ["a", "b"], ["a", "c"], 2)) == 1
    assert million.disagreements(counts, ["a", "b"], ["a", "a"], 2) == [
        "different jobs in them: 1 of 2",
        "jobs both made and recorded: 1 of 2",
    ]


def test_a_bar_is_as_long_as_its_value() -> None:
    drawn = ElementTree.fromstring(svg.bars("a & b", "ms", {"one": 1, "two": 4}, strong="one"))
    first, second = (
        float(each.attrib["width"]) for each in drawn.iter("{http://www.w3.org/2000/svg}rect")
    )
    assert second == pytest.approx(4 * first, rel=0.01)


def test_lines_lie_on_logarithmic_axes() -> None:
    text = svg.lines("lag", "jobs/s", "ms", {"p50": [(10, 1), (100, 10), (1000, 100)]})
    (drawn,) = ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}polyline")
    places = [tuple(map(float, point.split(","))) for point in drawn.attrib["points"].split()]
    assert places[1][0] == pytest.approx((places[0][0] + places[2][0]) / 2, abs=0.1)
    assert places[1][1] == pytest.approx((places[0][1] + places[2][1]) / 2, abs=0.1)
