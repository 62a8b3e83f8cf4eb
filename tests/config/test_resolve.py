"""Options: their defaults, their values, and all mistakes at once."""

from __future__ import annotations

import json
import random
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk_locust.config.sources import FORM, Layer, Layers, SettingText
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import OptionsError
from kiosk_locust.model.options import (
    CostOptions,
    FilesOptions,
    GrafanaOptions,
    Options,
    Ramp,
    TransferOptions,
    TrimOptions,
    TrustOptions,
    options_as_json,
)
from kiosk_locust.verdict.rules import RULES
from tests.helpers.layered import make_layers, mistakes, mistakes_in, resolve, resolve_layers


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_defaults() -> None:
    assert resolve().options == Options(
        host=None,
        simulate=False,
        file="image.png",
        count=1,
        users=1,
        job_type="segmentation",
        model_name="",
        model_version="",
        scale="1",
        label="",
        preprocess="",
        postprocess="",
        dimension_order="auto",
        channels="auto",
        segmentation_type="auto",
        upload_prefix="uploads",
        update_interval_s=1,  # of the simulated Kiosk alone
        poll_backoff=0,
        start_delay_s=0.05,
        arrival="constant",
        arrival_seed=random.Random(7).getrandbits(32),
        arrival_trace="",
        arrival_offsets_s=(),
        ramp=None,
        workload="open",
        num_cycles=1,
        cycle_interval_s=0,
        refresh_s=10,
        expire_s=3600,
        pool_size=64,
        request_timeout_s=30,
        retry_budget_s=3600,
        job_timeout_s=None,
        stop_timeout_s=30,
        drain_timeout_s=600,
        worker_wait_s=60,
        run_time_s=None,
        on_ambiguous="resubmit",
        num_gpus=0,
        files=FilesOptions(
            storage_bucket=(Path.cwd() / "results" / "simulated_bucket").as_uri(),
            upload_results=True,
            public_results=False,
            checkpoint_s=0,
        ),
        transfers=TransferOptions(
            mode="benchmark",
            upload=False,
            upload_via="frontend",
            download=False,
            concurrent_downloads=8,
            root="",
            inputs=(),
        ),
        output_dir=Path("results"),
        run_name="",
        log_enabled=True,
        log_level="DEBUG",
        log_file=Path("benchmark.log"),
        trim=TrimOptions(),
        cost=CostOptions(),
        grafana=GrafanaOptions(),
        trust=TrustOptions(limits={rule.name: rule.limit for rule in RULES}),
    )


@pytest.mark.parametrize(
    ("name", "text", "attribute", "value"),
    [
        ("UPDATE_INTERVAL", "0.25", "update_interval_s", 0.25),
        ("MANAGER_REFRESH_RATE", "0.5", "refresh_s", 0.5),
        ("CYCLE_INTERVAL", "1.5", "cycle_interval_s", 1.5),
        ("REQUEST_TIMEOUT", "2.5", "request_timeout_s", 2.5),
        ("RETRY_BUDGET", "0", "retry_budget_s", 0),
        ("DRAIN_TIMEOUT", "0.5", "drain_timeout_s", 0.5),
        ("WORKER_WAIT", "2.5", "worker_wait_s", 2.5),
        ("WORKER_WAIT", "0", "worker_wait_s", 0),
        ("JOB_TIMEOUT", "90.5", "job_timeout_s", 90.5),
        ("JOB_TIMEOUT", "None", "job_timeout_s", None),
        ("LOCUST_STOP_TIMEOUT", "1m", "stop_timeout_s", 60),
        ("LOCUST_STOP_TIMEOUT", "0", "stop_timeout_s", 0),
        ("EXPIRE_TIME", "0", "expire_s", 0),
        ("EXPIRE_TIME", "0.01", "expire_s", 1),
        ("EXPIRE_TIME", "59.5", "expire_s", 60),
        ("EXPIRE_TIME", "60", "expire_s", 60),
        ("POLL_BACKOFF", "0.1", "poll_backoff", 0.1),
        ("CONCURRENT_REQUESTS_PER_HOST", "1", "pool_size", 1),
        ("NUM_GPUS", "8", "num_gpus", 8),
        ("NUM_CYCLES", "3", "num_cycles", 3),
        ("UPLOAD_PREFIX", "/uploads", "upload_prefix", "uploads"),
        ("UPLOAD_PREFIX", "uploads/", "upload_prefix", "uploads"),
        ("UPLOAD_PREFIX", "//a/b/", "upload_prefix", "a/b"),
        ("UPLOAD_PREFIX", "/", "upload_prefix", ""),
        ("UPLOAD_PREFIX", "", "upload_prefix", "uploads"),
        ("SCALE", "", "scale", ""),
        ("SCALE", " 0.5 ", "scale", "0.5"),
        ("LABEL", "", "label", ""),
        ("LABEL", "0", "label", "0"),
        ("JOB_TYPE", "tracking", "job_type", "tracking"),
        ("DIMENSION_ORDER", "cxy", "dimension_order", "CXY"),
        ("DIMENSION_ORDER", "Auto", "dimension_order", "auto"),
        ("DIMENSION_ORDER", "", "dimension_order", ""),
        ("CHANNELS", "0, 1,", "channels", "0,1,"),
        ("CHANNELS", "AUTO", "channels", "auto"),
        ("CHANNELS", "", "channels", ""),
        ("SEGMENTATION_TYPE", "", "segmentation_type", ""),
        ("SEGMENTATION_TYPE", "tissue", "segmentation_type", "tissue"),
        ("LOG_ENABLED", "False", "log_enabled", False),
        ("LOG_ENABLED", "off", "log_enabled", False),
        ("LOG_LEVEL", "warning", "log_level", "WARNING"),
        ("ON_AMBIGUOUS", "CLOSE", "on_ambiguous", "close"),
        ("RUN_NAME", "paper-1.2_b", "run_name", "paper-1.2_b"),
        ("OUTPUT_DIR", "deep/er", "output_dir", Path("deep/er")),
    ],
)
def test_values_are_read(name: str, text: str, attribute: str, value: object) -> None:
    assert getattr(resolve(env={name: text}).options, attribute) == value


def test_a_model_is_a_name_and_a_version() -> None:
    options = resolve(env={"MODEL": "Mesmer:9", "SIMULATE": "true"}).options
    assert (options.model_name, options.model_version) == ("Mesmer", "9")


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("UPDATE_INTERVAL", "0", "above 0"),
        ("UPDATE_INTERVAL", "-1", "above 0"),
        ("UPDATE_INTERVAL", "nan", "above 0"),
        ("UPDATE_INTERVAL", "inf", "above 0"),
        ("UPDATE_INTERVAL", "1e10", "at most 1e+09"),
        ("UPDATE_INTERVAL", "ten", "a time above 0 s (a number alone is in seconds)"),
        ("MANAGER_REFRESH_RATE", "0", "above 0"),
        ("CYCLE_INTERVAL", "-0.1", "at least 0"),
        ("EXPIRE_TIME", "-1", "at least 0"),
        ("REQUEST_TIMEOUT", "0", "above 0"),
        ("RETRY_BUDGET", "nan", "at least 0"),
        ("DRAIN_TIMEOUT", "1m1m", "at least 0"),
        ("JOB_TIMEOUT", "0", "or none for no limit"),
        ("LOCUST_STOP_TIMEOUT", "soon", "such as 500ms, 90s, 2m or 2min, 1.5h, 1h30m"),
        ("POLL_BACKOFF", "1.5", "from 0 to 1"),
        ("CONCURRENT_REQUESTS_PER_HOST", "0", "at least 1"),
        ("NUM_GPUS", "-1", "at least 0"),
        ("NUM_CYCLES", "0", "at least 1"),
        ("NUM_CYCLES", "2.0", "a whole number"),
        ("MODEL", "mesmer", "must be name:version"),
        ("MODEL", "mesmer:latest", "must be name:version"),
        ("MODEL", ":1", "must be name:version"),
        ("SCALE", "0", "above 0"),
        ("SCALE", "big", "above 0"),
        ("JOB_TYPE", "two words", "without blanks"),
        ("DIMENSION_ORDER", "XXY", "such as XYB"),
        ("CHANNELS", "0;1", "such as 0,,"),
        ("LOG_ENABLED", "perhaps", "true or false"),
        ("LOG_LEVEL", "LOUD", "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("ON_AMBIGUOUS", "ask", "must be one of resubmit, close"),
        ("SIMULATE", "perhaps", "true or false"),
        ("RUN_NAME", "a/b", "letters, digits"),
        ("RUN_NAME", "..", "begin with a letter"),
        ("RUN_NAME", "latest", "not be 'latest'"),
        ("RUN_NAME", "x" * 101, "at most 100"),
        ("PREPROCESS", "a\nb", "on one line"),
        ("LABEL", "\udc80", "in UTF-8"),
    ],
)
def test_a_mistake_says_where_it_came_from_and_what_would_be_right(
    name: str, text: str, advice: str
) -> None:
    (mistake,) = mistakes(dotenv={name: text})
    assert mistake.startswith(f"{name} in .env = {text!r}: ")
    assert advice in mistake


def test_all_mistakes_are_reported_at_once() -> None:
    bad_env = {
        s.env: "a\n?:"
        for s in SETTINGS.values()
        if s.env and s.env not in ("LOCUST_HOST", "FILE", "LOCUST_SPAWN_RATE")
    }
    with pytest.raises(OptionsError) as caught:
        resolve(env=bad_env)
    named = {
        mistake.source.removesuffix(" in the environment") for mistake in caught.value.mistakes
    }
    assert named == set(bad_env) | {"FILE (--file)"}
    assert str(caught.value).startswith(f"{len(bad_env) + 1} settings cannot be used:\n  - ")


def test_mistakes_of_different_sources_are_reported_together() -> None:
    found = mistakes(
        cli={"--start-delay": "-1", "-u": "0"},
        env={"UPDATE_INTERVAL": "x", "COUNT": "-3"},
        dotenv={"MODEL": "m", "LOG_LEVEL": "x"},
        conf={"expire-time": "-5"},
    )
    assert sorted(mistake.partition(" = ")[0] for mistake in found) == [
        "--start-delay",
        "-u",
        "COUNT in the environment",
        "LOG_LEVEL in .env",
        "MODEL in .env",
        "UPDATE_INTERVAL in the environment",
        "expire-time in locust.conf",
    ]


def test_a_value_that_loses_is_not_judged() -> None:
    assert not mistakes(cli={"--update-interval": "5"}, dotenv={"UPDATE_INTERVAL": "nonsense"})


def test_an_empty_value_leaves_the_word_to_the_next_source() -> None:
    found = resolve(
        cli={"--update-interval": ""}, env={"UPDATE_INTERVAL": " "}, dotenv={"UPDATE_INTERVAL": "4"}
    )
    assert found.options.update_interval_s == 4
    assert found.sources["update_interval"] == "UPDATE_INTERVAL in .env"


def test_an_empty_scale_counts_before_a_lower_source() -> None:
    assert resolve(env={"SCALE": ""}, dotenv={"SCALE": "2"}).options.scale == ""


def test_every_setting_has_a_source() -> None:
    sources = resolve(env={"NUM_GPUS": "4"}).sources
    told = {"start_delay" if n in ("spawn_rate", "all_at_once") else n for n in SETTINGS}
    assert told - {"api_host"} <= sources.keys()
    assert sources["num_gpus"] == "NUM_GPUS in the environment"


# --- files ------------------------------------------------------------------------------------


def test_checking_leaves_nothing_behind() -> None:
    resolve(env={"OUTPUT_DIR": "a/b/c", "LOG_FILE": "d/e/bench.log"})
    assert list(Path().iterdir()) == []


def test_an_output_folder_that_cannot_be_made_is_a_mistake() -> None:
    Path("a-file").touch()
    (mistake,) = mistakes(cli={"--output-dir": "a-file/results"})
    assert mistake.startswith(
        "--output-dir = 'a-file/results': no file can be written in the folder"
    )


def test_a_default_that_cannot_be_used_is_a_mistake_with_its_name() -> None:
    Path("results").touch()
    (mistake,) = mistakes()
    assert mistake.startswith("OUTPUT_DIR (default) = 'results': no file can be written")


def test_a_log_file_that_is_a_folder_is_a_mistake() -> None:
    Path("logs").mkdir()
    (mistake,) = mistakes(env={"LOG_FILE": "logs"})
    assert "the file cannot be written" in mistake
    assert not mistakes(env={"LOG_FILE": "logs", "LOG_ENABLED": "false"})


def test_a_log_file_that_is_there_is_not_touched() -> None:
    Path("benchmark.log").write_text("before\n", encoding="utf-8")
    assert not mistakes()
    assert Path("benchmark.log").read_text(encoding="utf-8") == "before\n"


# --- JSON -------------------------------------------------------------------------------------


def test_options_can_be_written_as_json() -> None:
    Path("trace.txt").write_text("1\n2\n", encoding="utf-8")
    trace = options_as_json(resolve(env={"ARRIVAL_TRACE": "trace.txt"}).options)
    assert json.loads(json.dumps(trace, allow_nan=False)) == trace
    assert (trace["output_dir"], trace["arrival_offsets_s"]) == ("results", [1.0, 2.0])
    ramp = options_as_json(resolve(env={"RAMP": "1:2:3"}).options)["ramp"]
    assert Ramp(**ramp) == Ramp(1, 2, 3)
    assert set(trace) == {field.name for field in fields(Options)}


# --- any strings ------------------------------------------------------------------------------

_NUMBERS = st.sampled_from(
    ["0", "-0", "1", "2.5", "1e-320", "1e308", "1e309", "nan", "-inf", "٣", "1_0", "none", "1:2:3"]
)
_WORDS = st.sampled_from(
    [
        "true",
        "open",
        "closed",
        "poisson",
        "trace",
        "ramp",
        "a:1",
        "http://[",
        "k:80",
        "~",
        "~nobody/x",
    ]
)
_TEXTS = st.one_of(_NUMBERS, _WORDS, st.text(max_size=12), st.text(st.characters(), max_size=4))


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from(sorted(SETTINGS)), st.tuples(_TEXTS, st.sampled_from([FORM, "", ".env"]))
    ),
    st.none() | _TEXTS,
    st.booleans(),
)
def test_any_strings_give_options_or_their_mistakes(
    texts: dict[str, tuple[str, str]], class_host: str | None, headless: bool
) -> None:
    layers = Layers(
        tuple(
            Layer(place, {n: SettingText(t, n, place) for n, (t, p) in texts.items() if p == place})
            for place in (FORM, "", ".env")
        )
    )
    if not mistakes_in(layers, class_host=class_host, headless=headless):
        options = resolve_layers(layers, class_host=class_host, headless=headless).options
        json.dumps(options_as_json(options), allow_nan=False).encode()
        assert options.users >= 1
        assert options.count >= 0


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SETTINGS)), _TEXTS)
def test_any_string_in_one_setting_gives_options_or_a_mistake(name: str, text: str) -> None:
    mistakes_in(make_layers(form={name: text}))
    assert not [path for path in Path().iterdir() if path.name != ".hypothesis"]


@pytest.mark.parametrize(
    ("given", "host", "interval_s"),
    [
        ({}, None, 1.0),
        ({"UPDATE_INTERVAL": "10"}, None, 10.0),
        ({}, "http://kiosk.example", 10.0),
        ({"UPDATE_INTERVAL": "3"}, "http://kiosk.example", 3.0),
    ],
)
def test_only_a_simulated_kiosk_of_our_own_is_polled_each_second_by_default(
    given: dict[str, str], host: str | None, interval_s: float
) -> None:
    more = {"API_HOST": host, "FILE": "a.png"} if host else {}
    assert resolve(env={**given, **more}).options.update_interval_s == interval_s
