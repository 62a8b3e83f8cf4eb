"""Adding a setting is one declaration: all that tells of settings, or reads them, has it."""

from __future__ import annotations

import argparse
import json
import random
import runpy
from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Any

import pytest
from locust.argument_parser import LocustArgumentParser, get_empty_argument_parser

from kiosk_locust.config import parsers, planned, resolve, table
from kiosk_locust.config.table import Setting
from kiosk_locust.config.table.setting import Resume
from kiosk_locust.model.options import Options, from_json, options_as_json
from kiosk_locust.plugin import arguments
from tests.helpers.layered import make_layers
from tests.helpers.real import ROOT

ADDED = Setting(
    "settling_time",
    "2",
    "Time between the start of the run and its first job.",
    unit="s",
    field="settling_s",
    parse=parsers.seconds,
    resume=Resume.PLAN,
)
#: The options with the field that the use of the setting reads.
Added: Any = make_dataclass(
    "Added", [("settling_s", float, 0.0)], bases=(Options,), frozen=True, slots=True
)
REAL = {"--host": "http://kiosk", "--file": "a.png"}


@pytest.fixture(autouse=True)
def _added(monkeypatch: pytest.MonkeyPatch) -> None:
    title, settings = table.GROUPS[1]
    groups = (table.GROUPS[0], (title, (*settings, ADDED)), *table.GROUPS[2:])
    monkeypatch.setattr(table, "GROUPS", groups)
    monkeypatch.setitem(table._BY_NAME, ADDED.name, ADDED)
    for module in (resolve, planned):
        monkeypatch.setattr(module, "Options", Added)


def drafted(**sources: Mapping[str, str]) -> resolve.Draft:
    layers = make_layers(**sources)
    return resolve.draft(layers, headless=True, rng=random.Random(7))


def parser(shown: Mapping[str, str] | None = None) -> LocustArgumentParser:
    made = get_empty_argument_parser()
    arguments.add_options(made, shown)
    return made


def settling_s(options: Any) -> float:
    found: float = options.settling_s
    return found


def test_the_command_line_has_its_flag() -> None:
    assert parser().parse_args(["--settling-time", "1m"]).settling_time == "1m"


def test_the_help_has_its_meaning_default_and_name_in_the_environment() -> None:
    told = " ".join(parser().format_help().split())
    assert f"{ADDED.meaning} Default: 2. Environment: SETTLING_TIME." in told


def test_the_form_has_a_field_with_its_unit() -> None:
    (action,) = (a for a in parser({"settling_time": "5"})._actions if a.dest == "settling_time")
    assert isinstance(action, argparse.Action)
    assert action.include_in_web_ui  # type: ignore[attr-defined]
    assert action.default == "5"
    assert str(action.help).startswith("s: time between the start")


@pytest.mark.parametrize(
    "sources",
    [
        {"form": {"settling_time": "1m"}},
        {"cli": {"--settling-time": "1m"}},
        {"env": {"SETTLING_TIME": "1m"}},
        {"dotenv": {"SETTLING_TIME": "1m"}},
        {"conf": {"settling-time": "1m"}},
    ],
)
def test_every_source_sets_its_field(sources: Mapping[str, Mapping[str, str]]) -> None:
    assert settling_s(drafted(**sources).options) == 60


def test_its_field_has_its_default_where_nobody_gives_it() -> None:
    assert settling_s(drafted().options) == 2


def test_a_mistake_names_its_source_and_leaves_the_default() -> None:
    found = drafted(env={"SETTLING_TIME": "soon"})
    (mistake,) = found.mistakes
    assert str(mistake).startswith("SETTLING_TIME in the environment = 'soon': must be a time")
    assert settling_s(found.options) == 2


def test_the_json_of_options_has_it_and_makes_it_again() -> None:
    stored = json.loads(json.dumps(options_as_json(drafted(cli={"--settling-time": "5"}).options)))
    assert stored["settling_s"] == 5
    assert settling_s(from_json(Added, stored)) == 5


def test_a_worker_goes_by_the_masters_value() -> None:
    stored = json.loads(json.dumps(options_as_json(drafted(cli={"--settling-time": "5"}).options)))
    assert settling_s(resolve.options_of_worker(stored)) == 5


def test_a_ledger_s_value_stands_where_its_run_is_resumed() -> None:
    stored = options_as_json(drafted(cli={**REAL, "--settling-time": "5"}).options)
    lowest = planned.layer(stored, "the ledger a.db")
    layers = make_layers(cli=REAL).over(lowest)
    found = resolve.draft(layers, headless=True, rng=random.Random(7))
    assert settling_s(found.options) == 5


def test_another_value_of_what_makes_the_plan_is_a_mistake() -> None:
    before = options_as_json(drafted(cli={**REAL, "--settling-time": "5"}).options)
    given = make_layers(cli={**REAL, "--settling-time": "6"})
    now = options_as_json(drafted(cli={**REAL, "--settling-time": "6"}).options)
    (mistake,) = planned.contradictions(before, now, given, "http://kiosk", "the ledger a.db")
    assert "--settling-time = '6': the ledger a.db has settling 5.0 s" in str(mistake)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "docs/reference/options.md",
            "| `--settling-time` | `SETTLING_TIME` | `2` | s | Time between the start of the run"
            " and its first job. |\n",
        ),
        (
            ".env.example",
            "# Time between the start of the run and its first job. [s]\nSETTLING_TIME=2\n",
        ),
    ],
)
def test_what_the_reference_program_writes_has_it(name: str, text: str) -> None:
    files = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["FILES"]
    assert text in files[name]((ROOT / name).read_text("utf-8"))
