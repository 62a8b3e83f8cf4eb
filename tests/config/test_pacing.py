"""START_DELAY and the spawn rate: the whole table of who wins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest

from tests.helpers.layered import mistakes, resolve


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Way:
    """One way to give the pace, with a delay of its own."""

    layer: str
    name: str
    text: str
    delay_s: float
    label: str
    shown: str


#: From the highest to the lowest. Two ways of one layer stand side by side.
WAYS = [
    Way("form", "spawn_rate", "8", 0.125, "Spawn rate in the form", "Spawn rate = 8 in the form"),
    Way("cli", "-r", "7.5", 1 / 7.5, "-r", "-r 7.5"),
    Way("cli", "--start-delay", "0.3", 0.3, "--start-delay", "--start-delay 0.3"),
    Way(
        "env",
        "LOCUST_SPAWN_RATE",
        "4",
        0.25,
        "LOCUST_SPAWN_RATE in the environment",
        "LOCUST_SPAWN_RATE = 4 in the environment",
    ),
    Way(
        "env",
        "START_DELAY",
        "0.6",
        0.6,
        "START_DELAY in the environment",
        "START_DELAY = 0.6 in the environment",
    ),
    Way(
        "dotenv",
        "LOCUST_SPAWN_RATE",
        "2",
        0.5,
        "LOCUST_SPAWN_RATE in .env",
        "LOCUST_SPAWN_RATE = 2 in .env",
    ),
    Way("dotenv", "START_DELAY", "0.7", 0.7, "START_DELAY in .env", "START_DELAY = 0.7 in .env"),
    Way(
        "conf", "spawn-rate", "1", 1.0, "spawn-rate in locust.conf", "spawn-rate = 1 in locust.conf"
    ),
    Way(
        "conf",
        "start-delay",
        "0.9",
        0.9,
        "start-delay in locust.conf",
        "start-delay = 0.9 in locust.conf",
    ),
]


def _pairs() -> list[tuple[Way, Way]]:
    return [(a, b) for a, b in combinations(WAYS, 2) if a.layer != b.layer]


def _rivals() -> list[tuple[Way, Way]]:
    return [(a, b) for a, b in combinations(WAYS, 2) if a.layer == b.layer]


def test_without_any_a_job_begins_every_50_ms() -> None:
    found = resolve()
    assert found.options.start_delay_s == 0.05
    assert found.sources["start_delay"] == "default"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.label)
def test_each_way_alone_sets_the_delay_and_is_named_as_its_source(way: Way) -> None:
    found = resolve(**{way.layer: {way.name: way.text}})
    assert found.options.start_delay_s == pytest.approx(way.delay_s)
    assert found.sources["start_delay"] == way.label
    assert not [line for line in found.notices if "wins over" in line]


@pytest.mark.parametrize(("high", "low"), _pairs(), ids=lambda way: way.label)
def test_the_higher_source_wins_with_a_line_that_says_so(high: Way, low: Way) -> None:
    found = resolve(**{high.layer: {high.name: high.text}, low.layer: {low.name: low.text}})
    assert found.options.start_delay_s == pytest.approx(high.delay_s)
    assert found.sources["start_delay"] == high.label
    (line,) = (line for line in found.notices if "wins over" in line)
    assert line.startswith(high.shown)
    assert line.endswith(f" wins over {low.shown}")


@pytest.mark.parametrize(("one", "other"), _rivals(), ids=lambda way: way.label)
def test_two_names_in_one_source_that_disagree_are_a_mistake(one: Way, other: Way) -> None:
    (mistake,) = mistakes(**{one.layer: {one.name: one.text, other.name: other.text}})
    assert "contradicts" in mistake
    assert one.name in mistake
    assert other.name in mistake


@pytest.mark.parametrize("layer", ["cli", "env", "dotenv", "conf"])
def test_two_names_in_one_source_that_agree_are_fine(layer: str) -> None:
    rate, delay = {
        "cli": ("-r", "--start-delay"),
        "conf": ("spawn-rate", "start-delay"),
    }.get(layer, ("LOCUST_SPAWN_RATE", "START_DELAY"))
    assert resolve(**{layer: {rate: "20", delay: "0.05"}}).options.start_delay_s == 0.05


def test_a_rate_and_its_rounded_delay_agree() -> None:
    assert not mistakes(env={"LOCUST_SPAWN_RATE": "7.5", "START_DELAY": "0.1333"})


def test_the_line_says_what_a_rate_means() -> None:
    found = resolve(cli={"-r": "7.5"}, dotenv={"START_DELAY": "0.5"})
    assert "-r 7.5 (a job every 0.1333 s) wins over START_DELAY = 0.5 in .env" in found.notices


def test_every_source_that_loses_gets_its_line() -> None:
    found = resolve(
        cli={"-r": "8"},
        env={"START_DELAY": "1"},
        dotenv={"START_DELAY": "2"},
        conf={"spawn-rate": "3"},
    )
    assert len([line for line in found.notices if "wins over" in line]) == 3


def test_sources_that_say_the_same_get_no_line() -> None:
    found = resolve(cli={"-r": "20"}, dotenv={"START_DELAY": "0.05"})
    assert not [line for line in found.notices if "wins over" in line]


def test_an_empty_value_is_not_set() -> None:
    found = resolve(env={"START_DELAY": " "}, dotenv={"START_DELAY": "0.5"})
    assert found.options.start_delay_s == 0.5


def test_a_delay_of_0_begins_all_at_once() -> None:
    assert resolve(env={"START_DELAY": "0"}).options.start_delay_s == 0


def test_the_forms_box_stands_above_the_rate_beside_it() -> None:
    found = resolve(form={"all_at_once": "true", "spawn_rate": "5"}, cli={"-r": "8"})
    assert found.options.start_delay_s == 0
    assert "All at once = true in the form (all jobs at once) wins over -r 8" in found.notices


def test_a_box_that_is_not_ticked_leaves_the_rate_alone() -> None:
    found = resolve(form={"all_at_once": "false", "spawn_rate": "5"}, env={"START_DELAY": "0"})
    assert found.options.start_delay_s == 0.2


def test_the_flag_for_all_at_once_contradicts_a_rate_beside_it() -> None:
    (mistake,) = mistakes(cli={"--all-at-once": "true", "-r": "8"})
    assert "--all-at-once" in mistake


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", "1e-400", "1e999"])
def test_a_spawn_rate_must_be_a_number_above_0(text: str) -> None:
    (mistake,) = mistakes(dotenv={"LOCUST_SPAWN_RATE": text})
    assert mistake.startswith(f"LOCUST_SPAWN_RATE in .env = {text!r}: must be a number of jobs")


@pytest.mark.parametrize("text", ["-0.5", "nan", "inf", "soon"])
def test_a_delay_must_be_a_time_of_at_least_0(text: str) -> None:
    (mistake,) = mistakes(cli={"--start-delay": text})
    assert mistake == (
        f"--start-delay = {text!r}: must be a time of at least 0 s (a number alone is in seconds),"
        " such as 500ms, 90s, 2m or 2min, 1.5h, 1h30m"
    )


def test_two_bad_names_in_one_source_are_two_mistakes() -> None:
    assert len(mistakes(env={"LOCUST_SPAWN_RATE": "x", "START_DELAY": "y"})) == 2
