"""Configuration files beside what Locust's own parser makes of the same bytes."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from locust import events
from locust.argument_parser import LocustArgumentParser, get_parser

from kiosk_locust.config.sources import Layers
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.plugin import arguments
from tests.cli.test_check import check
from tests.helpers.real import run_locust, simulator

OURS = {setting.flag.removeprefix("--"): setting for setting in SETTINGS.values() if setting.flag}


@pytest.fixture(autouse=True)
def _hooked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder and a home of its own, and the hook that the plugin hangs into Locust."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def hook(parser: LocustArgumentParser, **_kwargs: object) -> None:
        arguments.add_options(parser)

    hooks = events.init_command_line_parser
    hooks.add_listener(hook)
    yield
    hooks.remove_listener(hook)


@pytest.fixture
def parser() -> LocustArgumentParser:
    return get_parser()


def _by_locust(parser: LocustArgumentParser, text: str) -> argparse.Namespace | None:
    """What the real Locust reads in locust.conf; None where it refuses."""
    Path("locust.conf").write_text(text, encoding="utf-8")
    found = argparse.Namespace()
    try:
        parser.parse_args([], namespace=found, env_vars={})
    except SystemExit:
        return None
    return found


def _by_us(text: str, *argv: str, **environ: str) -> Layers:
    Path("locust.conf").write_text(text, encoding="utf-8")
    return arguments.read(argv, environ, {})


def _value_for(name: str) -> str:
    if SETTINGS[name].is_flag:
        return "true"
    return "7" if name in ("num_users", "spawn_rate", "run_time", "stop_timeout") else "some"


def _keys() -> list[str]:
    """Beginnings of every flag, of some each time the same, and the whole flags."""
    drawn = random.Random(1)
    parts = [key[:length] for key in OURS for length in range(1, len(key))]
    return [*OURS, *drawn.sample(sorted(set(parts)), 150)]


def test_keys_and_their_beginnings_are_read_as_locust_reads_them(
    parser: LocustArgumentParser,
) -> None:
    taken = 0
    for key in _keys():
        whole = key.strip("-")  # Locust takes "resume-" for resume, not for resume-or-start
        meant = [name for name in OURS if name == whole] or [n for n in OURS if n.startswith(key)]
        setting = OURS[meant[0]]
        text = f"{key} = {_value_for(setting.name)}\n"
        theirs, ours = _by_locust(parser, text), _by_us(text)
        if theirs is None:
            assert ours.mistakes, key
            assert f"{key} in locust.conf, line 1: " in str(ours.mistakes[0])
            continue
        given = ours.get(setting.name)
        assert given is not None, key
        assert not ours.mistakes, key
        assert str(getattr(theirs, setting.name)).lower() in (given.text, f"{given.text}.0"), key
        taken += 1
    assert taken > len(OURS)


@pytest.mark.parametrize(
    "text",
    [
        "user = 7",
        "u = 7",
        "num-cycle = 2",
        "num = 2",
        "num_cycles = 2",
        "Users = 7",
        "--users 7",
        "-users = 7",
        "-u 7",
        "users: 7",
        "users 7 # why",
        "[locust]\n; ini\nusers = 7",
        "users = 7\nuser = 8",
        "user = 8\nusers = 7",
        "users = 7\nuser = 8\nusers = 9",
        "users =",
        "metrics",
        "metrics = off",
        "metrics = maybe",
        "public = true",
        "headles = true",
        "headless = maybe",
        "node-type = [a, b]",
        "node-t = [a, b]",
        "file = [a, b]",
        "tags = [a, b]",
        "fil = a=b # c",
        "= 3",
        "API_HOST = x",
        "loglevel = INFO",
        "\ufeffusers = 7",
    ],
)
def test_a_file_is_taken_or_refused_as_locust_does(parser: LocustArgumentParser, text: str) -> None:
    theirs, ours = _by_locust(parser, text), _by_us(text)
    assert (theirs is None) == bool(ours.mistakes)
    if theirs is None:
        return
    for name in ("num_users", "num_cycles", "node_type", "file"):
        given = ours.get(name)
        assert str(getattr(theirs, name)) == (
            given.text if given else str(parser.get_default(name))
        )


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("num = 2", "it may mean num-gpus, num-cycles: write the whole name"),
        ("num_cycles = 2", "write num-cycles"),
        ("NUM_CYCLES = 2", "write num-cycles"),
        ("API_HOST = x", "write host"),
        ("THRESHOLDS = x", "write threshold"),
        ("GRAFANA_PASSWORD = hunter2", "from the environment and .env alone"),
        ("publi = true", "no shortened name of a flag in a file: write public-results"),
        ("= 2", "write key = value"),
        ("headless = maybe", "must be true or false"),
    ],
)
def test_a_refusal_names_file_line_and_cure(text: str, cure: str) -> None:
    (mistake,) = _by_us(f"# first\n\n{text}\n").mistakes
    assert "locust.conf, line 3: " in str(mistake)
    assert cure in str(mistake)
    assert "hunter2" not in str(mistake)


def test_a_key_that_only_a_locustfile_can_know_is_a_question() -> None:
    layers = _by_us("my-own = 1\nusers = 2\nupdate-intervall = 3\n")
    assert not layers.mistakes
    assert [line.partition(" is no setting")[0] for line in layers.notices] == [
        "my-own in locust.conf, line 1",
        "update-intervall in locust.conf, line 3",
    ]
    assert layers.notices[1].endswith("did you mean update-interval?")


def test_a_shortened_key_keeps_its_place_in_the_order() -> None:
    Path("pyproject.toml").write_text("[tool.locust]\nuser = 6\n", encoding="utf-8")
    given = _by_us("use = 5\n", "--users", "3", LOCUST_USERS="4").all("num_users")
    assert [value.shown for value in given] == [
        "--users 3",
        "LOCUST_USERS = 4 in the environment",
        "user = 6 in pyproject.toml",
        "use = 5 in locust.conf",
    ]


def test_a_real_run_goes_by_shortened_keys(tmp_path: Path) -> None:
    conf = "user = 2\nnum-cycle = 2\nupdate-int = 200ms\nrun-t = 1.5h\n"
    (tmp_path / "locust.conf").write_text(conf)
    with simulator() as kiosk:
        done = run_locust(tmp_path, host=kiosk.url, UPDATE_INTERVAL="")
        assert done.code == 0, done.output
        assert len(kiosk.submissions) == 4  # two users, two cycles
    found = done.results[0]["configuration"]
    assert (found["users"], found["num_cycles"]) == (2, 2)
    assert (found["update_interval_s"], found["run_time_s"]) == (0.2, 5400)


def test_check_tells_of_it(tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text("num = 2\nmy-own = 1\nupdate-i = x\n")
    code, said = check(tmp_path)
    assert code == 2
    assert "num in locust.conf, line 1: it may mean" in said
    assert "update-i in locust.conf = 'x'" in said
