"""One grammar for every duration: what it takes, what it refuses, and who goes by it.

The grammars that there were before stand here once more, as the oracle for what they took.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from locust.util.timespan import parse_timespan

from kiosk_locust.config.table import SETTINGS
from kiosk_locust.formatting import units
from kiosk_locust.measurement import warmup
from kiosk_locust.model.options import Options
from kiosk_locust.parsing import UNITS_S, duration
from kiosk_locust.planning import arguments as forecast
from kiosk_locust.simulator.arguments import parse_arguments
from kiosk_locust.verdict import threshold_parser
from kiosk_locust.verdict.rules import RULES
from kiosk_locust.verdict.threshold_units import UNITS, QuantityKind
from tests.helpers.layered import mistakes, resolve

#: Text and the seconds that it means to anybody who reads it.
FORMS = [
    ("500ms", 0.5),
    ("1s", 1.0),
    ("2m", 120.0),
    ("2min", 120.0),
    ("1.5h", 5400.0),
    ("1h30m", 5400.0),
    ("1d", 86_400.0),
    ("1h 30 min 10 s", 5410.0),
    ("2 MIN", 120.0),
    ("250us", 0.00025),
    (".5h", 1800.0),
    ("1e3ms", 1.0),
]
#: Every setting that is a duration, and where the options have it, in seconds.
DURATIONS: dict[str, Callable[[Options], float | None]] = {
    "UPDATE_INTERVAL": lambda o: o.update_interval_s,
    "EXPIRE_TIME": lambda o: o.expire_s,
    "JOB_TIMEOUT": lambda o: o.job_timeout_s,
    "DRAIN_TIMEOUT": lambda o: o.drain_timeout_s,
    "WORKER_WAIT": lambda o: o.worker_wait_s,
    "RETRY_BUDGET": lambda o: o.retry_budget_s,
    "REQUEST_TIMEOUT": lambda o: o.request_timeout_s,
    "CYCLE_INTERVAL": lambda o: o.cycle_interval_s,
    "START_DELAY": lambda o: o.start_delay_s,
    "MANAGER_REFRESH_RATE": lambda o: o.refresh_s,
    "LOCUST_RUN_TIME": lambda o: o.run_time_s,
    "LOCUST_STOP_TIMEOUT": lambda o: o.stop_timeout_s,
    "COST_TAIL": lambda o: o.cost.tail_s,
    "METRICS_LINGER": lambda o: o.outside.linger_s,
    "CHECKPOINT": lambda o: o.files.checkpoint_s,
    "ABORT_ON_THRESHOLD": lambda o: o.trust.abort_after_s,
    "WARMUP": lambda o: warmup.parse(o.trim.warmup).time_s,
    "COOLDOWN": lambda o: warmup.parse(o.trim.cooldown).time_s,
    **{
        rule.option.removeprefix("--").replace("-", "_").upper(): (
            lambda o, name=rule.name: o.trust.limits[name]  # type: ignore[misc]
        )
        for rule in RULES
        if rule.unit == "s"
    },
}
NEEDS_UNIT = {"WARMUP", "COOLDOWN"}
#: A Kiosk that no test asks: its checkpoints are as set, which a simulated one's are not.
REAL = {"API_HOST": "http://kiosk.example.org", "FILE": "a.png"}


def test_every_setting_in_seconds_is_in_the_list_above() -> None:
    of_time = {s.env for s in SETTINGS.values() if re.match(r"s($|,)", s.unit)}
    assert of_time | NEEDS_UNIT == set(DURATIONS)


@pytest.mark.parametrize(("text", "seconds"), [*FORMS, ("90", 90.0), (" 1e2 ", 100.0)])
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("text", ["1s", "1000ms", "2m", "2min", "1.5h", "1h30m", "7"])
def test_every_setting_reads_it_alike(name: str, text: str) -> None:
    seconds = {"1s": 1, "1000ms": 1, "2m": 120, "2min": 120, "1.5h": 5400, "1h30m": 5400, "7": 7}
    if text == "7" and name in NEEDS_UNIT:
        (mistake,) = mistakes(env=REAL | {name: text})
        assert "100 jobs, 90s" in mistake
    else:
        assert DURATIONS[name](resolve(env=REAL | {name: text}).options) == seconds[text]


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("text", ["1h30", "30m1h", "1m1m", "1,5h", "1.5h30m", "-5s", "5 weeks"])
def test_what_may_mean_several_things_is_refused_with_the_right_forms(name: str, text: str) -> None:
    (mistake,) = mistakes(env=REAL | {name: text})
    assert mistake.startswith(f"{name} in the environment = {text!r}: ")
    assert re.search(r"\b(1h30m|500ms|\d+s)\b", mistake.partition(": ")[2])


def test_the_form_goes_by_the_same() -> None:
    form = {"update_interval": "1500ms", "expire_time": "1h", "job_timeout": "5min"}
    found = resolve(form=form | {"run_time": "1.5h"}).options
    assert (found.update_interval_s, found.expire_s) == (1.5, 3600)
    assert (found.job_timeout_s, found.run_time_s) == (300.0, 5400.0)


def test_so_do_ramps_and_traces(tmp_path: Path) -> None:
    ramp = resolve(cli={"--ramp": "1:5:1m30s", "-u": "9"}).options.ramp
    assert ramp is not None
    assert ramp.seconds == 90
    trace = tmp_path / "trace.txt"
    trace.write_text("0\n500ms\n1.5\n1m\n", encoding="utf-8")
    found = resolve(cli={"--arrival-trace": str(trace)}).options
    assert found.arrival_offsets_s == (0.0, 0.5, 1.5, 60.0)


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [
        ("job.p95 < 1m", 60.0, "< 1 min"),
        ("job.p95 < 1h30m", 5400.0, "< 90 min"),
        ("makespan <= 2 h 15 min", 8100.0, "<= 135 min"),
        ("queue_wait.max < 1.5H", 5400.0, "< 1.5 h"),
        ("throughput > 60 jobs/m", 1.0, "> 60 jobs/min"),
    ],
)
def test_so_do_thresholds(text: str, limit: float, wanted: str) -> None:
    found = threshold_parser.parse(text)
    assert found.limit == pytest.approx(limit, rel=1e-12)
    assert found.wanted == wanted


# --- whatever text --------------------------------------------------------------------------


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 9_999), st.integers(0, 9_999_999))
def test_a_duration_that_is_written_out_is_read_again(
    hours: int, minutes: int, seconds: int, micros: int
) -> None:
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"), (micros, "us"))
    text = "".join(f"{number}{unit}" for number, unit in parts if number)
    assume(text)
    whole = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    assert duration(text) == whole.total_seconds()


@given(st.floats(0, 1e9))
def test_a_number_alone_is_what_it_is(seconds: float) -> None:
    assert duration(repr(seconds)) == seconds
    assert duration(f"{seconds!r}s") == seconds


@given(st.floats(1e-6, 1e6))
def test_what_is_shown_can_be_given_back(seconds: float) -> None:
    shown = units.seconds(seconds)
    half_a_step = 0.05 * UNITS_S["min"] if shown.endswith(" min") else 0.0  # rounded
    assert duration(shown) == pytest.approx(seconds, rel=0.006, abs=half_a_step * 1.001)
    for name in UNITS_S:
        again = UNITS[name].show(seconds, 15)
        assert duration(again) == pytest.approx(seconds, rel=1e-13)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.unit == "s"])
def test_the_limits_that_the_documents_show_can_be_given_back(rule: Any) -> None:
    assert duration(rule.limit_shown) == rule.limit


# --- everything that was taken before -------------------------------------------------------

_OLD_TRIM = re.compile(r"(?:(\d+(?:\.\d*)?|\.\d+))\s*(ms|s|sec|min|h)", re.IGNORECASE | re.ASCII)
_OLD_LIMIT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|min|m|h)?", re.IGNORECASE | re.ASCII)
_OLD_THRESHOLD = re.compile(
    r"((?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(us|µs|ms|s|sec|min|h|d)",
    re.IGNORECASE | re.ASCII,
)
_OLD_TIMESPAN = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?:in)?)?(?:(\d{1,9})s)?", re.ASCII)
_FACTORS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0}
_FACTORS |= {"h": 3600.0, "d": 86_400.0, "": 1.0}


def old_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return value


def old_single(pattern: re.Pattern[str]) -> Callable[[str], float]:
    def read(text: str) -> float:
        match = pattern.fullmatch(text.strip())
        if not match:
            raise ValueError
        return old_number(match[1].replace("_", "")) * _FACTORS[(match[2] or "").lower()]

    return read


def old_timespan(text: str) -> float:
    match = _OLD_TIMESPAN.fullmatch(text.strip())
    if match and any(match.groups()):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600.0 + minutes * 60.0 + seconds
    return old_number(text)


OLD = {
    "a number of seconds": old_number,
    "-t and --checkpoint": old_timespan,
    "--warmup": old_single(_OLD_TRIM),
    "--max-…": old_single(_OLD_LIMIT),
    "thresholds": old_single(_OLD_THRESHOLD),
    "Locust's own": parse_timespan,
}
_numbers = st.one_of(
    st.integers(0, 10**9).map(str),
    st.floats(0, 1e6).map(lambda value: f"{value:.6f}"),
    st.sampled_from(["5.", ".5", "1_000", "1e3", "007", "0", "+5"]),
)
_terms = st.tuples(
    _numbers, st.sampled_from(["", " "]), st.sampled_from([*_FACTORS, "MIN", "H", "S"])
)
_texts = st.lists(_terms, min_size=1, max_size=3).map(lambda t: "".join(map("".join, t)))


@pytest.mark.parametrize("name", OLD)
@given(text=_texts)
def test_all_that_was_taken_still_is_and_means_the_same(name: str, text: str) -> None:
    try:
        before = OLD[name](text)
    except (ValueError, OverflowError):
        return
    assert duration(text) == pytest.approx(before, rel=1e-12)


@given(_texts)
def test_one_text_never_means_two_things(text: str) -> None:
    """Wherever two of the older grammars took a text, they agreed, so that one could follow."""
    meanings = []
    for read in OLD.values():
        try:
            meanings.append(read(text))
        except (ValueError, OverflowError):
            continue
    assert not meanings or max(meanings) == pytest.approx(min(meanings), rel=1e-12)


def test_units_of_thresholds_and_of_settings_are_the_same() -> None:
    of_thresholds = {
        name: unit.factor for name, unit in UNITS.items() if unit.kind is QuantityKind.DURATION
    }
    assert of_thresholds == UNITS_S


# --- beside a run ---------------------------------------------------------------------------


def test_so_does_the_simulator() -> None:
    words = ["--predict-s", "500ms", "--scale-down-delay-s=2m", "--frontend-skew-s=-1.5"]
    found = parse_arguments([*words, "--fault", "GET /api/* status=500 from=1m to=1.5h"])
    assert (found.settings.predict_s, found.settings.scale_down_delay_s) == (0.5, 120)
    assert found.settings.frontend_skew_s == -1.5
    assert (found.faults[0].from_s, found.faults[0].to_s) == (60, 5400)


def test_so_does_the_forecast() -> None:
    found = forecast.read(["--start-delay", "250ms", "--node-startup-s", "5min"])
    assert found.plans[0].start_delay_s == 0.25
    assert found.plans[0].cluster.node_startup_s == 300


def test_the_simulator_refuses_a_time_with_the_right_forms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--predict-s", "1h30"])
    assert "such as 500ms, 90s, 2m or 2min, 1.5h, 1h30m" in capsys.readouterr().err
