from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.errors import OptionsError
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.threshold_units import QuantityKind


def refusal(text: str) -> str:
    with pytest.raises(OptionsError) as caught:
        parse(text, "--threshold")
    (mistake,) = caught.value.mistakes
    assert mistake.source == "--threshold"
    return mistake.advice


def caret(text: str) -> str:
    """What stands above the caret, to the end of the line."""
    *_, line, mark = refusal(text).split("\n")
    return line[mark.index("^") :]


@pytest.mark.parametrize(
    ("text", "measure", "kind", "limit"),
    [
        ("job.p95 < 60s", "job.p95", QuantityKind.DURATION, 60.0),
        ("queue_wait.p99 < 5min", "queue_wait.p99", QuantityKind.DURATION, 300.0),
        ("failed < 1%", "failed", QuantityKind.SHARE, 0.01),
        ("failed <= 5 jobs", "failed.jobs", QuantityKind.COUNT, 5.0),
        ("throughput > 40 images/s", "throughput.images", QuantityKind.RATE, 40.0),
        ("throughput >= 120 jobs / min", "throughput.jobs", QuantityKind.RATE, 2.0),
        ("cost.per_image < 0.0003", "cost.per_image", QuantityKind.MONEY, 0.0003),
        ("cost.total < 25 USD", "cost.total", QuantityKind.MONEY, 25.0),
        ("cost.total < 25$", "cost.total", QuantityKind.MONEY, 25.0),
        ("makespan < 5.5h", "makespan", QuantityKind.DURATION, 19800.0),
        ("submission_lag.max<250ms", "submission_lag.max", QuantityKind.DURATION, 0.25),
        ("plateau > 1_000 images/h", "plateau.images", QuantityKind.RATE, 1000 / 3600),
    ],
)
def test_a_threshold_has_a_measure_and_a_limit_in_the_unit_of_its_kind(
    text: str, measure: str, kind: QuantityKind, limit: float
) -> None:
    found = parse(text)
    assert (found.measure, found.kind) == (measure, kind)
    assert found.limit == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    ("statistic", "percent"), [("p95", 95), ("p99.9", 99.9), ("median", 50), ("max", 100)]
)
def test_a_statistic_is_a_percentile(statistic: str, percent: float) -> None:
    found = parse(f"job.{statistic} < 1s")
    assert (found.percent, found.distribution) == (percent, "job")


@given(st.lists(st.sampled_from(["", " ", "\t", "  "]), min_size=5, max_size=5))
def test_spaces_are_free(gaps: list[str]) -> None:
    a, b, c, d, e = gaps
    found = parse(f"{a}job.P95{b}<={c}2.5{d}min{e}")
    assert (found.measure, found.operator, found.limit) == ("job.p95", "<=", 150.0)


@pytest.mark.parametrize(
    ("operator", "held"), [("<", [0]), ("<=", [0, 1]), (">", [2, 3]), (">=", [1, 2, 3])]
)
def test_an_operator_compares_as_it_is_written(operator: str, held: list[int]) -> None:
    threshold = parse(f"job.p50 {operator} 1s")
    values = [0.0, 1.0, 2.0, math.inf]
    assert [n for n, value in enumerate(values) if threshold.holds(value)] == held


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", ""),
        ("< 60s", "< 60s"),
        ("jobs.p95 < 60s", "jobs.p95 < 60s"),
        ("job < 60s", " < 60s"),
        ("job.p59x < 60s", "p59x < 60s"),
        ("job.p0 < 60s", "p0 < 60s"),
        ("job.p95 = 60s", "= 60s"),
        ("job.p95 == 60s", "== 60s"),
        ("job.p95 <> 60s", "<> 60s"),
        ("job.p95 60s", "60s"),
        ("job.p95 < -1s", "-1s"),
        ("job.p95 < ", ""),
        ("job.p95 < 60", ""),
        ("job.p95 < 60 parsecs", "parsecs"),
        ("job.p95 < 1,000 s", ",000 s"),
        ("failed < 1", ""),
        ("failed < 1s", "s"),
        ("failed < 0%", "< 0%"),
        ("failed < 101%", "< 101%"),
        ("throughput > 40 /s", "/s"),
        ("images_failed < 3 jobs", "jobs"),
    ],
)
def test_a_mistake_has_a_caret_under_its_place(text: str, place: str) -> None:
    assert caret(text) == place


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("jobb.p95 < 60s", "job.p95"),
        ("queue_wiat.p99 < 5min", "queue_wait.p99"),
        ("job.mediam < 1s", "median"),
        ("faild < 1%", "failed"),
        ("throughput > 40 image/sec", "image/s"),
        ("cost.per_imag < 1", "cost.per_image"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_nearest_one(text: str, meant: str) -> None:
    assert f"did you mean '{meant}" in refusal(text)


def test_a_missing_unit_is_answered_with_examples() -> None:
    assert "60s, 5min" in refusal("job.p95 < 60")
    assert "1%" in refusal("failed < 1")


@given(st.text("job.p95<>= 60s%\tfaild_max/0é\n", max_size=30))
def test_any_text_is_a_threshold_or_a_mistake_with_a_caret(text: str) -> None:
    advice = "^"
    try:
        parse(text)
    except OptionsError as error:
        advice = error.mistakes[0].advice
    assert advice.endswith("^")
