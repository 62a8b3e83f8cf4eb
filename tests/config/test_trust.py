from __future__ import annotations

import json
from pathlib import Path

import pytest

from kiosk_locust.config import planned
from kiosk_locust.errors import OptionsError
from kiosk_locust.model.options import TrustOptions, from_json, options_as_json
from kiosk_locust.verdict.rules import RULES
from kiosk_locust.verdict.threshold_parser import parse_all
from tests.helpers.layered import mistakes, resolve


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_thresholds_of_all_places_count_together_each_once() -> None:
    Path("more.txt").write_text("failed < 1%  # of the jobs\n\njob.p95 < 60s\n")
    Path("pyproject.toml").write_text('[tool.kiosk_locust]\nthresholds = ["makespan < 1h"]\n')
    found = resolve(
        env={"THRESHOLDS": "job.p95 < 60s; predict.p50 < 1s", "THRESHOLD_FILE": "more.txt"}
    ).options.trust
    assert [each.text for each in found.wanted] == [
        "job.p95 < 60s",
        "predict.p50 < 1s",
        "failed < 1%",
        "makespan < 1h",
    ]
    assert found.wanted[0].source == "THRESHOLDS in the environment"
    assert [each.measure for each in parse_all(found.wanted)][-1] == "makespan"


def test_a_time_is_written_as_locust_or_as_thresholds_write_it() -> None:
    for text in ("120", "120s", "2m", "2min"):
        assert resolve(env={"ABORT_ON_THRESHOLD": text}).options.trust.abort_after_s == 120


def test_mistakes_are_told_with_all_others() -> None:
    with pytest.raises(OptionsError) as caught:
        resolve(
            env={
                "THRESHOLDS": "job.p95 < 60 parsecs; nothing < 1s",
                "MAX_CPU": "much",
                "MAX_SUBMISSION_LAG": "3 parsecs",
                "UPDATE_INTERVAL": "x",
            }
        )
    text = str(caught.value)
    for part in ("parsecs' is no unit", "nothing", "MAX_CPU", "MAX_SUBMISSION_LAG", "UPDATE"):
        assert part in text
    assert len(caught.value.mistakes) == 5


@pytest.mark.parametrize(
    ("name", "text", "rule", "limit"),
    [
        ("MAX_SUBMISSION_LAG", "250ms", "submission-lag", 0.25),
        ("MAX_SUBMISSION_LAG", "2", "submission-lag", 2.0),
        ("MAX_SILENCE", "1.5min", "silence", 90.0),
        ("MAX_WAITED_FOR_USER", "5%", "waited-for-user", 0.05),
        ("MAX_CPU", "0.5", "cpu", 0.5),
        ("MAX_AMBIGUOUS", "3", "ambiguous", 3.0),
        ("MAX_WORKERS_LOST", "none", "workers-lost", None),
    ],
)
def test_limits_are_given_with_their_units_or_not_at_all(
    name: str, text: str, rule: str, limit: float | None
) -> None:
    assert resolve(env={name: text}).options.trust.limits[rule] == limit


def test_the_limits_are_those_of_the_rules_unless_they_are_given() -> None:
    assert resolve().options.trust.limits == {rule.name: rule.limit for rule in RULES}


def test_a_ledger_s_options_make_the_same_settings_again() -> None:
    given = {
        "THRESHOLDS": "job.p95 < 60s; failed < 1%",
        "ABORT_ON_THRESHOLD": "30s",
        "JUNIT_XML": "junit.xml",
        "MAX_CPU": "none",
        "MAX_SILENCE": "90s",
    }
    first = resolve(env=given).options
    stored = json.loads(json.dumps(options_as_json(first)))["trust"]
    again = {
        trust_env(name): text for name, text in planned.setting_texts({"trust": stored}).items()
    }
    assert resolve(env=again).options.trust == first.trust
    assert from_json(TrustOptions, stored) == first.trust


def trust_env(setting: str) -> str:
    return {"threshold": "THRESHOLDS"}.get(setting, setting.upper())


def test_a_warm_up_that_leaves_no_job_is_a_mistake_before_the_run() -> None:
    found = mistakes(env={"COUNT": "10", "WARMUP": "6 jobs", "COOLDOWN": "4 jobs"})
    assert len(found) == 1
    assert "leave out 10 jobs, and a cycle has 10: none would be left to measure" in found[0]
    assert mistakes(env={"COUNT": "11", "WARMUP": "6 jobs", "COOLDOWN": "4 jobs"}) == []
    assert (
        mistakes(
            env={"COUNT": "0", "WARMUP": "6 jobs", "LOCUST_RUN_TIME": "1m", "LOCUST_USERS": "5"}
        )
        == []
    )


def test_what_will_make_a_run_invalid_is_said_before_it_starts() -> None:
    few = {"COUNT": "40", "THRESHOLDS": "job.p95 < 60s; job.p90 < 50s; job.max < 1h"}
    (notice,) = resolve(env=few).notices
    assert "this run will be INVALID: of its 40 jobs, job.p95 needs 72 for a threshold" in notice
    assert resolve(env={**few, "NUM_CYCLES": "2"}).notices == ()
    assert resolve(env={**few, "MAX_MISSING_JOBS": "none"}).notices == ()


def test_a_cost_that_nobody_will_know_is_said_before_the_run_starts() -> None:
    real = {"THRESHOLDS": "cost.total < 5", "API_HOST": "http://kiosk", "FILE": "a.png"}

    def said(**env: str) -> list[str]:
        return [each for each in resolve(env=env).notices if "measurable" in each]

    (notice,) = said(**real)
    assert notice.startswith("cost.total < 5 will not be measurable")
    assert said(**real, GRAFANA_HOST="http://grafana") == []
    assert said(THRESHOLDS="cost.total < 5") == []  # the simulated Kiosk has a Grafana
