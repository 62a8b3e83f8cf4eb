from __future__ import annotations

from dataclasses import replace

from kiosk_locust.measurement.scalars import Totals, figures
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.threshold_units import SINGLE, QuantityKind, examples
from kiosk_locust.verdict.thresholds import evaluate

RUN = Totals(
    outcomes={"done": 90, "partial": 5, "failed": 4, "timeout": 1},
    unended=0,
    images_done=9300,
    images_failed=700,
    makespan_s=200.0,
    jobs_per_s=0.475,
    images_per_s=46.5,
    plateau_jobs_per_s=0.6,
    plateau_images_per_s=58.0,
    cost_usd=2.79,
)


def value(measure: str, totals: Totals = RUN) -> float | None:
    return figures(totals)[measure].value


def test_shares_are_of_all_tickets_and_of_all_images() -> None:
    assert (value("failed"), value("failed.jobs")) == (0.04, 4.0)
    assert (value("rejected"), value("rejected.jobs")) == (0.0, 0.0)
    assert value("images_failed") == 0.07


def test_shares_are_of_the_jobs_that_were_begun() -> None:
    aborted = replace(RUN, outcomes={"done": 83, "failed": 19, "unfinished": 98}, never_begun=98)
    assert value("failed", aborted) == 19 / 102
    assert value("done", aborted) == 83 / 102


def test_the_unfinished_are_a_share_of_all_tickets() -> None:
    aborted = replace(RUN, outcomes={"done": 2, "unfinished": 98}, never_begun=98)
    assert value("unfinished", aborted) == 0.98


def test_a_share_of_no_job_that_was_begun_is_not_known() -> None:
    none = figures(replace(RUN, outcomes={"unfinished": 9}, never_begun=9))
    assert (none["failed"].value, none["failed"].why) == (None, "no job was begun")


def test_a_makespan_that_jobs_are_missing_from_is_a_least_one() -> None:
    (row,) = evaluate([parse("makespan < 1h")], figures(replace(RUN, never_begun=98)))
    assert (row.verdict, row.note) == ("miss", "98 jobs never begun")


def test_a_makespan_of_an_open_ended_run_misses_no_job() -> None:
    found = figures(replace(RUN, never_begun=1, is_open_ended=True))["makespan"]
    assert (found.value, found.is_least) == (200.0, False)


def test_a_cost_per_image_is_per_good_image() -> None:
    assert value("cost.per_image") == 2.79 / 9300
    assert value("cost.per_job") == 2.79 / 95


def test_an_unknown_cost_says_why() -> None:
    unknown = figures(replace(RUN, cost_usd=None, no_cost="no Grafana was named"))
    assert unknown["cost.per_image"].value is None
    assert unknown["cost.total"].why == "no Grafana was named"
    none_good = figures(replace(RUN, images_done=0))
    assert none_good["cost.per_image"].why == "no image is done"


def test_a_makespan_with_jobs_that_did_not_end_is_a_least_one() -> None:
    (row,) = evaluate([parse("makespan < 1h")], figures(replace(RUN, unended=3)))
    assert (row.verdict, row.measured, row.note) == ("miss", "> 0.05556 h", "3 jobs did not end")


def test_every_measure_that_the_grammar_knows_has_a_figure() -> None:
    limit = {
        QuantityKind.DURATION: ["1s"],
        QuantityKind.SHARE: ["1%"],
        QuantityKind.RATE: ["1 images/s", "1 jobs/s"],
        QuantityKind.MONEY: ["1"],
    }
    texts = [f"{name} <= {each}" for name, kind in SINGLE.items() for each in limit[kind]]
    texts += ["failed <= 1 job", "error <= 2 jobs"]
    measures = {parse(text).measure for text in texts}
    assert measures <= set(figures(RUN))
    assert all(examples(kind) for kind in limit)


def test_a_run_without_tickets_has_no_shares() -> None:
    assert value("done", replace(RUN, outcomes={})) is None
