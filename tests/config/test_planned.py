"""A ledger's options as settings, and what contradicts them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from kiosk_locust.config import planned
from kiosk_locust.model.options import Options, options_as_json
from tests.helpers.layered import make_layers, resolve_layers

PLACE = "the ledger results/a.db"
CLI = {"--host": "http://kiosk:80/path", "--file": "a.zip", "--count": "50", "-u": "9"}


def as_in_a_ledger(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(options_as_json(options)))
    return found


def resolved(**cli: str) -> Options:
    given = CLI | {"--" + name.replace("_", "-"): text for name, text in cli.items()}
    return resolve_layers(make_layers(cli=given)).options


@pytest.mark.parametrize(
    "cli",
    [
        {},
        {"ramp": "0:20.5:30", "workload": "open"},
        {"arrival": "poisson", "workload": "open", "arrival_seed": "-7"},
        {"model": "Nuclear:3", "scale": "", "label": "", "channels": "0,1,"},
        {"spawn_rate": "7.3", "upload_prefix": "/", "job_timeout": "90.5", "stop_timeout": "2m"},
        {"start_delay": "0", "num_cycles": "3", "cycle_interval": "1.5", "poll_backoff": "0.1"},
    ],
)
def test_a_ledgers_options_make_the_same_options_again(cli: dict[str, str]) -> None:
    options = resolved(**cli)
    layer = planned.layer(as_in_a_ledger(options), PLACE)
    own = make_layers(cli={"--host": CLI["--host"]})  # whose Kiosk it is decides on its buckets
    again = resolve_layers(own.over(layer)).options
    assert dataclasses.replace(again, run_time_s=options.run_time_s) == options


def mistakes(before: Options, **cli: str) -> list[str]:
    given = make_layers(cli={"--" + n.replace("_", "-"): text for n, text in cli.items()})
    ledger = as_in_a_ledger(before)
    layers = given.without(*planned.NOT_READ_AGAIN).over(planned.layer(ledger, PLACE))
    now = as_in_a_ledger(resolve_layers(layers).options)
    found = planned.contradictions(ledger, now, given, "https://kiosk/path", PLACE)
    return [str(mistake) for mistake in found]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "51"),
        ("file", "b.zip"),
        ("host", "http://other/path"),
        ("start_delay", "0.06"),
        ("spawn_rate", "21"),
        ("arrival_seed", "1"),
        ("arrival", "poisson"),
        ("arrival_trace", "times.txt"),
        ("ramp", "1:2:3"),
        ("model", "Nuclear:3"),
        ("num_cycles", "2"),
    ],
)
def test_what_makes_another_plan_is_a_mistake(name: str, text: str) -> None:
    said = mistakes(resolved(workload="open"), **{name: text})
    assert said
    assert all(line.startswith(f"--{name.replace('_', '-')} = {text!r}: {PLACE}") for line in said)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "50"),
        ("host", "kiosk/path/"),
        ("host", "https://kiosk:443/path"),  # where a redirect had led
        ("spawn_rate", "20"),
        ("update_interval", "3"),
        ("job_timeout", "60"),
        ("arrival", "constant"),
        ("cycle_interval", "9"),
    ],
)
def test_what_says_the_same_or_may_change_is_none(name: str, text: str) -> None:
    assert mistakes(resolved(workload="open"), **{name: text}) == []
