"""How many jobs, when they begin, and for how many users."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kiosk_locust.model.options import Ramp
from tests.helpers.layered import make_layers, mistakes, mistakes_in, resolve


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({}, (1, 1, "open")),
        ({"cli": {"-u": "100"}}, (100, 100, "open")),
        ({"cli": {"--count": "250"}}, (250, 250, "open")),
        ({"cli": {"--count": "250", "-u": "20"}}, (250, 20, "closed")),
        ({"cli": {"--count": "20", "-u": "250"}}, (20, 250, "open")),
        ({"cli": {"-u": "7"}, "env": {"COUNT": "5"}}, (5, 7, "open")),
        ({"cli": {"-u": "7"}, "dotenv": {"COUNT": "9"}}, (9, 7, "closed")),
        ({"dotenv": {"COUNT": "100"}}, (100, 100, "open")),
        ({"env": {"COUNT": "5"}, "dotenv": {"COUNT": "9"}}, (5, 5, "open")),
        ({"cli": {"--count": "3"}, "env": {"COUNT": "5"}, "conf": {"count": "9"}}, (3, 3, "open")),
        ({"env": {"LOCUST_USERS": "4"}}, (4, 4, "open")),
        ({"dotenv": {"LOCUST_USERS": "4"}}, (4, 4, "open")),
        ({"conf": {"users": "6"}}, (6, 6, "open")),
        ({"dotenv": {"COUNT": "12"}, "conf": {"users": "6"}}, (12, 6, "closed")),
        (
            {"cli": {"-u": "2"}, "env": {"LOCUST_USERS": "4"}, "conf": {"users": "6"}},
            (2, 2, "open"),
        ),
        ({"env": {"COUNT": ""}, "conf": {"users": "6"}}, (6, 6, "open")),
        ({"cli": {"--count": "250", "-u": "20", "--workload": "open"}}, (250, 20, "open")),
        ({"cli": {"-u": "20", "--workload": "closed"}}, (20, 20, "closed")),
    ],
)
def test_users_and_count_default_to_each_other(
    sources: dict[str, dict[str, str]], expected: tuple[int, int, str]
) -> None:
    options = resolve(**sources).options
    assert (options.count, options.users, options.workload) == expected


def test_neither_users_nor_count_is_said_aloud() -> None:
    assert "neither -u nor COUNT is given: 1 job, 1 user" in resolve().notices
    assert not resolve(cli={"-u": "1"}).notices


def test_count_makes_at_most_20000_users_and_says_so() -> None:
    found = resolve(dotenv={"COUNT": "1000000"})
    assert (found.options.count, found.options.users) == (1_000_000, 20_000)
    assert found.notices == (
        "COUNT = 1000000 in .env, but at most 20,000 are in flight without -u",
    )


def test_more_users_can_be_asked_for() -> None:
    found = resolve(cli={"-u": "30000"}, dotenv={"COUNT": "30000"})
    assert (found.options.users, found.notices) == (30_000, ())


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "nan", "9" * 30])
def test_count_must_be_a_whole_number(text: str) -> None:
    (mistake,) = mistakes(env={"COUNT": text})
    assert mistake.startswith("COUNT in the environment = ")
    assert "must be a whole number of at least 0" in mistake


def test_no_users_are_a_mistake() -> None:
    assert mistakes(form={"num_users": "0"}) == [
        "Number of users in the form = '0': must be a whole number of at least 1"
    ]


def test_count_0_is_open_ended() -> None:
    options = resolve(cli={"--count": "0", "-t": "1h30m", "-u": "5"}).options
    assert (options.count, options.run_time_s, options.workload) == (0, 5400, "open")


def test_count_0_needs_a_run_time_and_users() -> None:
    found = mistakes(env={"COUNT": "0"})
    assert len(found) == 2
    assert any("-u" in mistake for mistake in found)
    assert any("-t" in mistake for mistake in found)


def test_a_run_time_of_0_does_not_end_a_run() -> None:
    assert len(mistakes(cli={"--count": "0", "-u": "5", "-t": "0"})) == 1


def test_with_the_web_page_count_0_needs_no_run_time() -> None:
    for sources in ({}, {"form": {"num_users": "3"}}):
        layers = make_layers(env={"COUNT": "0"}, **sources)
        assert not mistakes_in(layers, headless=False)


def test_count_0_has_one_cycle_only() -> None:
    (mistake,) = mistakes(cli={"--count": "0", "-t": "60", "-u": "5", "--num-cycles": "2"})
    assert "NUM_CYCLES" in mistake


def test_no_end_of_jobs_cannot_begin_all_at_once() -> None:
    cli = {"--count": "0", "-t": "60", "-u": "5", "--start-delay": "0"}
    (mistake,) = mistakes(cli=cli)
    assert "all at once" in mistake
    assert not mistakes(cli=cli | {"--workload": "closed"})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1h1m1s", 3661), ("1.5", 1.5)],
)
def test_run_times_are_written_as_locust_does(text: str, seconds: float) -> None:
    assert resolve(cli={"-t": text}).options.run_time_s == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "1m1h", "h", "inf", "1h30", "9" * 12 + "h"])
def test_other_run_times_are_mistakes(text: str) -> None:
    assert len(mistakes(dotenv={"LOCUST_RUN_TIME": text})) == 1


# --- arrivals -------------------------------------------------------------------------------


def _trace(text: str) -> str:
    Path("trace.txt").write_text(text, encoding="utf-8")
    return "trace.txt"


def test_a_trace_gives_the_times_and_the_count() -> None:
    trace = _trace("# morning\n0\n\n0.5  # the second\n 2e1 \n")
    options = resolve(cli={"--arrival-trace": trace}).options
    assert options.arrival == "trace"
    assert options.arrival_offsets_s == (0.0, 0.5, 20.0)
    assert (options.count, options.users, options.workload) == (3, 3, "open")


def test_a_count_that_agrees_with_the_trace_is_fine() -> None:
    assert not mistakes(cli={"--arrival-trace": _trace("1\n2\n")}, env={"COUNT": "2"})


def test_a_count_that_differs_from_the_trace_is_a_mistake() -> None:
    (mistake,) = mistakes(cli={"--arrival-trace": _trace("1\n2\n")}, env={"COUNT": "3"})
    assert mistake == (
        "COUNT in the environment = '3': contradicts --arrival-trace trace.txt, which has "
        "2 times; leave it out"
    )


def test_a_trace_out_of_order_is_sorted_and_said() -> None:
    found = resolve(cli={"--arrival-trace": _trace("2\n1\n")})
    assert found.options.arrival_offsets_s == (1.0, 2.0)
    assert any("sorted" in line for line in found.notices)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1\n-2\n", " line 2: each line"),
        ("1\nlater\n# ok\nnan\n", " line 2, line 4: each line"),
        ("inf\n" * 5, " line 1, line 2, line 3 and 2 more: each line"),
        ("# nothing\n\n", "holds no times"),
        ("", "holds no times"),
    ],
)
def test_a_bad_trace_is_a_mistake_that_names_file_and_line(content: str, expected: str) -> None:
    (mistake,) = mistakes(env={"ARRIVAL_TRACE": _trace(content)})
    assert mistake.startswith("ARRIVAL_TRACE in the environment = 'trace.txt': ")
    assert expected in mistake


def test_a_trace_that_is_missing_is_a_mistake() -> None:
    (mistake,) = mistakes(cli={"--arrival-trace": "nowhere.txt"})
    assert "'nowhere.txt': there is no such file" in mistake


def test_a_trace_that_is_no_text_is_a_mistake() -> None:
    Path("binary").write_bytes(b"\xff\xfe\x00")
    assert len(mistakes(cli={"--arrival-trace": "binary"})) == 1
    assert len(mistakes(cli={"--arrival-trace": "."})) == 1


def test_a_ramp_makes_arrivals_a_ramp() -> None:
    options = resolve(cli={"--ramp": "0:50:60.5", "-u": "10"}).options
    assert (options.arrival, options.ramp) == ("ramp", Ramp(0, 50, 60.5))


@pytest.mark.parametrize(
    "text", ["1:2", "1:2:3:4", "a:2:3", "1:0:60", "1:5:0", "-1:5:60", "1:inf:60", "1:5:nan", "::"]
)
def test_other_ramps_are_mistakes(text: str) -> None:
    (mistake,) = mistakes(cli={"--ramp": text})
    assert "must be FROM:TO:SECONDS" in mistake


def test_arrivals_at_random_are_seeded() -> None:
    options = resolve(cli={"--arrival": "Poisson", "--arrival-seed": "-42"}).options
    assert (options.arrival, options.arrival_seed) == ("poisson", -42)


def test_without_a_seed_one_is_drawn() -> None:
    found = resolve()
    assert found.options.arrival_seed == random.Random(7).getrandbits(32)
    assert found.sources["arrival_seed"] == "default"


@pytest.mark.parametrize("text", ["x", "1.5", str(2**63)])
def test_a_seed_is_a_whole_number(text: str) -> None:
    assert len(mistakes(cli={"--arrival-seed": text})) == 1


@pytest.mark.parametrize(
    ("cli", "expected"),
    [
        ({"--arrival": "trace"}, "--arrival-trace FILE"),
        ({"--arrival": "ramp"}, "--ramp FROM:TO:SECONDS"),
        ({"--arrival": "poisson", "--ramp": "1:2:3"}, "contradicts --ramp 1:2:3"),
        ({"--arrival": "sometimes"}, "must be one of constant, poisson, ramp, trace"),
        ({"--workload": "half"}, "must be one of open, closed"),
    ],
)
def test_arrivals_that_contradict_are_mistakes(cli: dict[str, str], expected: str) -> None:
    (mistake,) = mistakes(cli=cli)
    assert expected in mistake


def test_a_trace_and_a_ramp_contradict() -> None:
    found = mistakes(cli={"--arrival-trace": _trace("1\n")}, dotenv={"RAMP": "1:2:3"})
    assert found == [
        "RAMP in .env = '1:2:3': contradicts --arrival-trace trace.txt; give only one of them"
    ]


def test_a_spawn_rate_beside_a_trace_does_not_count_and_is_said() -> None:
    found = resolve(cli={"--arrival-trace": _trace("1\n2\n"), "-r": "5"})
    assert "-r does not count: --arrival-trace trace.txt says when jobs begin" in found.notices


@pytest.mark.parametrize(
    "arrival", [{"--arrival": "poisson"}, {"--ramp": "1:2:3"}, {"--arrival-trace": "trace.txt"}]
)
def test_arrivals_by_the_clock_need_an_open_workload(arrival: dict[str, str]) -> None:
    _trace("1\n2\n3\n")
    cli = arrival | {"--count": "3", "-u": "2"}
    (mistake,) = mistakes(cli=cli)
    assert "3 jobs for 2 users make a closed one: give --workload open, or -u 3" in mistake
    assert not mistakes(cli=cli | {"--workload": "open"})
    assert not mistakes(cli=cli | {"-u": "3"})
    (mistake,) = mistakes(cli=cli | {"-u": "3", "--workload": "closed"})
    assert "--workload closed" in mistake
