from __future__ import annotations

from dataclasses import replace

from kiosk_locust.measurement.estimates import MeasuredFigure
from kiosk_locust.verdict.judgement import Finding, Judgement, judgement
from kiosk_locust.verdict.rules import ValidityFacts, judge
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import Result, evaluate

LOST = judge(ValidityFacts(is_open=True, tickets=10, workers_lost=1))
VALID = judge(ValidityFacts(is_open=True, tickets=10, workers_lost=0))


def judged(*texts: str, is_batch: bool = False, **figures: float) -> Judgement:
    known = {name.replace("__", "."): MeasuredFigure(value) for name, value in figures.items()}
    return judgement(
        VALID, evaluate([parse(text) for text in texts], known), is_batch=is_batch, why_batch="why"
    )


def test_what_the_ledger_keeps_comes_back_as_it_was() -> None:
    rows = evaluate([parse("job.p95 < 60s"), parse("failed < 1%")], {"failed": MeasuredFigure(0.5)})
    found = judgement(LOST, rows, is_batch=True)
    assert Judgement.from_text(found.as_text()) == found
    assert found.verdict == "INVALID"
    assert found.as_json()["reasons"][0]["option"] == "--max-workers-lost"


def test_misses_and_what_nobody_knows_are_told_apart() -> None:
    found = judged("job.p95 < 60s", "failed < 1%", "makespan < 1h", failed=0.5, makespan=9.0)
    assert [each.threshold for each in found.missed] == ["failed < 1%"]
    assert [each.threshold for each in found.unmeasured] == ["job.p95 < 60s"]
    assert found.missed[0].line == "failed < 1%: miss, measured 50%"
    assert found.thresholds[2].result is Result.PASS


def test_failures_are_accepted_where_every_threshold_on_them_is_met() -> None:
    assert judged("failed < 1%", failed=0.001).accepted == {"failed"}
    assert judged("failed < 1%", "failed < 0.01%", failed=0.001).accepted == set()
    assert judged("job.p95 < 1s", job__p95=0.1).accepted == set()


def test_latencies_of_a_batch_draw_a_warning_and_its_throughput_none() -> None:
    (warning,) = judged("job.p95 < 1s", is_batch=True, job__p95=0.1).warnings
    assert "job.p95 < 1s" in warning
    assert "batch (why)" in warning
    assert judged("failed < 1%", "predict.p95 < 1s", is_batch=True, failed=0).warnings == ()
    assert judged("job.p95 < 1s", job__p95=0.1).warnings == ()


def test_what_could_not_be_measured_is_told_with_its_reason() -> None:
    row = Finding("cost.total < 1", "cost.total", "< 1 USD", "-", Result.NOT_MEASURABLE, False, "")
    assert (
        replace(row, note="no Grafana").line == "cost.total < 1: not measurable, since no Grafana"
    )
