"""Settings of any text from any source: options, or one error that lists the mistakes."""

from __future__ import annotations

import math
import random
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from locust.argument_parser import get_parser

from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.resolve import draft
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.trace import read_trace
from kiosk_locust.cost.credentials import secrets
from kiosk_locust.cost.price_file import read_price_file, shipped
from kiosk_locust.errors import OptionsError, PriceFileError
from kiosk_locust.model.options import options_as_json
from kiosk_locust.parsing import duration
from kiosk_locust.plugin import locust_config
from kiosk_locust.plugin.arguments import read
from kiosk_locust.verdict.threshold_parser import parse
from tests.fuzz.strange import HOSTILE, changed, changed_text, fuzz, refused_by, texts
from tests.helpers.layered import make_layers

ENVS = [setting.env for setting in SETTINGS.values() if setting.env]
#: These would make folders of any name.
PATHS = {"OUTPUT_DIR", "LOG_FILE", "JUNIT_XML"}
DOTENV = b"""# settings
API_HOST=http://kiosk.example.org
export COUNT="100"
START_DELAY='0.5' # s
GRAFANA_PASSWORD=a\\nb
"""
PRICES = b"""# source: ours
# date: 2027-01-01
machine_type,region,on_demand_usd_per_hour,spot_usd_per_hour,source,date
n1-highmem-2,us-west1,0.1184,,list,2027-01-02
*,*,1,0.5,,
"""
CONF = b"""[locust]
users = 7
num-cycle: 2
headless
tags = [a, b]
"""
TIMES = ("500ms", "1h30m", "2 min 10s", "1e3us", "1.5d", "7")
TRACE = b"0\n0.5 # first\n\n1.25\n1e2\n"
THRESHOLDS = (
    *("job.p95 < 60s", "failed <= 1%", "throughput > 40 images/s", "cost.per_image < $0.001"),
    *("failed <= 5 jobs", "queue_wait.median <= 2 min", "makespan < 1h", "job.max<=1e3ms"),
)


@fuzz
@given(st.dictionaries(st.sampled_from([e for e in ENVS if e not in PATHS]), texts, max_size=4))
@example(dict.fromkeys(["COUNT", "NUM_CYCLES", "LOCUST_USERS"], "9" * 5000))
def test_any_environment_makes_options_or_mistakes_with_names(found: dict[str, str]) -> None:
    layers = make_layers(env={"LOG_ENABLED": "false"} | found)
    drafted = draft(layers, headless=True, rng=random.Random(1))
    for mistake in drafted.mistakes:
        assert mistake.source
        assert mistake.advice
    options_as_json(drafted.options)


@fuzz
@given(st.lists(st.tuples(st.sampled_from(sorted(SETTINGS)), texts), max_size=4))
def test_any_form_makes_options_or_mistakes(posted: list[tuple[str, str]]) -> None:
    found = {name: text for name, text in posted if SETTINGS[name].env not in PATHS}
    layers = make_layers(env={"LOG_ENABLED": "false"}).with_form(found, {})
    draft(layers, headless=False, rng=random.Random(1))


@fuzz
@given(st.lists(st.one_of(texts, st.sampled_from(["-u", "-r", "--count", "--host", "--config"])),
                max_size=4))  # fmt: skip
def test_any_command_line_is_read_or_refused(arguments: list[str]) -> None:
    with refused_by(OptionsError, SystemExit):  # the latter is argparse's, after its own message
        read(arguments, {}, {})


@fuzz
@given(st.one_of(st.binary(max_size=200), changed(DOTENV)))
def test_any_dotenv_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".env")
        path.write_bytes(data)
        with refused_by(OptionsError):
            secrets({}, read_dotenv(path))


@fuzz
@given(st.one_of(st.binary(max_size=200), changed(CONF)), st.sampled_from([".conf", ".toml"]))
def test_any_configuration_file_is_read_or_is_a_mistake(data: bytes, ending: str) -> None:
    options = get_parser(default_config_files=[])._option_string_actions
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"some{ending}")
        path.write_bytes(data)
        found = locust_config.read(str(path), "some", options)
        assert all(each.advice for each in found.mistakes)
        assert found.layer.values.keys() <= SETTINGS.keys()


@fuzz
@given(st.one_of(texts, st.sampled_from(TIMES).flatmap(changed_text)))
def test_any_time_is_understood_or_refused(text: str) -> None:
    with refused_by(ValueError):
        assert 0 <= duration(text) < math.inf


@fuzz
@given(st.one_of(st.binary(max_size=200), changed(TRACE)))
def test_any_trace_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.txt")
        path.write_bytes(data)
        with refused_by(ValueError):  # which the options make a mistake of
            offsets, _ = read_trace(path)
            assert list(offsets) == sorted(offsets)
            assert all(0 <= offset < 1e10 for offset in offsets)


@fuzz
@given(st.one_of(st.binary(max_size=200), changed(PRICES)))
def test_any_price_file_is_read_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "prices.csv")
        path.write_bytes(data)
        with refused_by(PriceFileError):
            table = read_price_file(path)
            rates = [*table.machines.values(), *table.accelerators.values()]
            assert all(0 <= (rate.spot_usd or 0) < 1e6 for rate in rates)


@fuzz
@given(st.one_of(texts, st.sampled_from(THRESHOLDS).flatmap(changed_text)))
def test_any_threshold_is_understood_or_refused(text: str) -> None:
    with refused_by(OptionsError):
        assert math.isfinite(parse(text).limit)


def test_the_tables_that_are_shipped_can_be_read() -> None:
    assert shipped().machines


def test_the_hostile_texts_are_not_all_refused_by_the_same_rule() -> None:
    assert len({len(text) for text in HOSTILE}) > 10
