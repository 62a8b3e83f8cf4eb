from __future__ import annotations

from pathlib import Path

import pytest

from kiosk_locust.errors import OptionsError
from kiosk_locust.measurement.estimates import Figure, Interval, unmeasured
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import Result, ThresholdRow, evaluate, read


def row(text: str, figure: Figure | None) -> ThresholdRow:
    threshold = parse(text)
    (found,) = evaluate([threshold], {threshold.measure: figure} if figure else {})
    return found


def test_a_figure_within_its_bound_passes_and_one_beyond_it_misses() -> None:
    assert row("job.p95 < 60s", Figure(59.9)).verdict == "pass"
    assert row("job.p95 < 60s", Figure(60.0)).verdict == "miss"
    assert row("throughput > 40 images/s", Figure(40.1)).verdict == "pass"


def test_wanted_and_measured_are_told_in_the_unit_that_the_user_wrote() -> None:
    found = row("queue_wait.p99 < 5min", Figure(250.0))
    assert (found.wanted, found.measured) == ("< 5 min", "4.167 min")
    share = row("failed <= 1%", Figure(0.0123))
    assert (share.wanted, share.measured) == ("<= 1%", "1.23%")
    money = row("cost.per_image < 0.0003", Figure(0.00025))
    assert (money.wanted, money.measured) == ("< 0.0003 USD", "0.00025 USD")


def test_a_miss_by_a_hair_is_told_apart_from_the_limit() -> None:
    assert row("job.p95 < 60s", Figure(60.0001)).measured == "60.0001 s"


def test_a_limit_inside_the_interval_is_too_close_to_call_beside_its_pass_or_miss() -> None:
    around = Interval(55.0, 65.0)
    assert row("job.p95 < 60s", Figure(59.0, interval=around)).verdict == (
        "pass, too close to call"
    )
    assert row("job.p95 < 60s", Figure(61.0, interval=around)).verdict == (
        "miss, too close to call"
    )
    clear = row("job.p95 < 70s", Figure(59.0, interval=around))
    assert (clear.verdict, clear.note) == ("pass", "95 % interval: 55 s to 65 s")


def test_without_an_interval_the_reason_is_told() -> None:
    figure = Figure(59.0, why="within this run only: 100 jobs")
    assert row("job.p95 < 60s", figure).note == "within this run only: 100 jobs"


def test_a_lower_bound_counts_as_infinite_even_where_it_is_below_the_limit() -> None:
    found = row("job.p95 < 60s", Figure(20.0, is_least=True, why="40 of 100 jobs did not end"))
    assert (found.result, found.measured) == (Result.MISS, "> 20 s")
    assert found.note == "40 of 100 jobs did not end"


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert row("cost.total < 1", None).result is Result.NOT_MEASURABLE
    found = row("cost.total < 1", unmeasured("no Grafana was named"))
    assert (found.result, found.measured) == (Result.NOT_MEASURABLE, "-")
    assert found.note == "no Grafana was named"
    assert row("cost.total < 1", Figure(float("nan"))).result is Result.NOT_MEASURABLE


def test_thresholds_come_from_the_command_line_a_file_and_pyproject(tmp_path: Path) -> None:
    file = tmp_path / "limits.txt"
    file.write_text("# service level\n\nqueue_wait.p99 < 5min  # of images\n", encoding="utf-8")
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.kiosk_locust]\nthresholds = ["failed < 1%"]\n', encoding="utf-8")
    found = read(["job.p95 < 60s"], file, pyproject)
    assert [each.text for each in found] == [
        "job.p95 < 60s",
        "queue_wait.p99 < 5min",
        "failed < 1%",
    ]
    assert found[1].source == f"{file}, line 3"
    assert found[2].source.endswith("thresholds, item 1")


def test_the_same_threshold_from_two_places_counts_once() -> None:
    assert len(read(["job.p95 < 60s", "job.p95<1min", "job.p95 < 61s"])) == 2


def test_a_pyproject_without_thresholds_has_none_and_need_not_exist(tmp_path: Path) -> None:
    assert read(pyproject=tmp_path / "pyproject.toml") == ()
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert read(pyproject=tmp_path / "pyproject.toml") == ()


def test_all_mistakes_of_all_sources_are_told_at_once(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text("[tool.kiosk_locust]\nthresholds = 3\n", encoding="utf-8")
    with pytest.raises(OptionsError) as caught:
        read(["job < 1s", "failed < 1%", "x"], tmp_path / "missing.txt", pyproject)
    sources = [mistake.source for mistake in caught.value.mistakes]
    assert len(sources) == 4
    assert {"--threshold", str(tmp_path / "missing.txt")} < set(sources)


@pytest.mark.parametrize("content", ["[tool", "[tool.kiosk_locust]\nthresholds = [1]\n"])
def test_a_pyproject_that_cannot_be_read_is_a_mistake(tmp_path: Path, content: str) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(content, encoding="utf-8")
    with pytest.raises(OptionsError):
        read(pyproject=pyproject)


def test_a_slip_in_the_name_of_the_list_is_a_mistake_and_no_open_gate(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.kiosk_locust]\nthreshold = ["failed < 1%"]\n', encoding="utf-8")
    with pytest.raises(OptionsError, match="threshold: not known here; thresholds"):
        read(pyproject=pyproject)


def test_a_sum_that_is_known_in_part_is_decided_only_where_that_part_decides() -> None:
    part = Figure(4.0, is_part=True, why="no price for x1")
    missed = row("cost.total < 3", part)
    assert (missed.result, missed.measured) == (Result.MISS, "at least 4 USD")
    open_ = row("cost.total < 5", part)
    assert (open_.result, open_.note) == (Result.NOT_MEASURABLE, "no price for x1")
    assert row("cost.total > 3", part).result is Result.PASS
    assert row("cost.total > 5", part).result is Result.NOT_MEASURABLE


def test_what_the_limit_s_unit_would_make_unreadable_is_told_in_another() -> None:
    assert row("makespan < 1h", Figure(1.12)).measured == "1.12 s"
    assert row("job.p50 < 100us", Figure(3600.0)).measured == "60.0 min"
    assert row("cost.per_image < 1", Figure(0.00001987)).measured == "0.00001987 USD"
