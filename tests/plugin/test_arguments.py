"""Settings through Locust's own parser, from real files in a real folder."""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # it ships no types
import pytest
from locust import events
from locust.argument_parser import LocustArgumentParser, get_parser, ui_extra_args_dict

from kiosk_locust.config import resolve as resolving
from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.sources import Layers
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import OptionsError
from kiosk_locust.plugin import arguments

#: What the form shows; the plugin keeps it in the same way.
Shown = dict[str, str]


@pytest.fixture(autouse=True)
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """A folder and a home of its own, and the hook that the plugin hangs into Locust."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    form: Shown = {}

    def hook(parser: LocustArgumentParser, **_kwargs: object) -> None:
        arguments.add_options(parser, form or None)

    hooks = events.init_command_line_parser
    hooks.add_listener(hook)
    yield form
    hooks.remove_listener(hook)


def _read(*argv: str, **environ: str) -> Layers:
    return arguments.read(argv, environ, read_dotenv())


def _resolve(*argv: str, **environ: str) -> resolving.Resolved:
    return resolving.resolve(_read(*argv, **environ), headless=True, rng=random.Random(1))


def _write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


# --- layers -----------------------------------------------------------------------------------


def test_every_setting_can_be_given_by_its_flag() -> None:
    for setting in SETTINGS.values():
        if not setting.env_only:
            argv = [setting.flag] if setting.is_flag else [setting.flag, "some"]
            given = _read(*argv).get(setting.name)
            assert given is not None
            assert given.text == ("true" if setting.is_flag else "some")
            assert given.source == setting.flag


def test_every_setting_can_be_given_in_the_environment_and_in_dotenv() -> None:
    for setting in SETTINGS.values():
        if setting.env:
            given = _read(**{setting.env: "some"}).get(setting.name)
            assert given is not None
            assert given.source == f"{setting.env} in the environment"
            _write(".env", f"{setting.env}=some\n")
            given = _read().get(setting.name)
            assert given is not None
            assert given.source == f"{setting.env} in .env"
            Path(".env").unlink()


def test_every_setting_can_be_given_in_a_configuration_file() -> None:
    for setting in SETTINGS.values():
        if not setting.env_only:
            key = setting.flag.removeprefix("--")
            _write("locust.conf", f"{key} = true\n")
            given = _read().get(setting.name)
            assert given is not None
            assert given.source == f"{key} in locust.conf"


def test_sources_win_in_their_order() -> None:
    _write(".env", "UPDATE_INTERVAL=4\n")
    _write("special.conf", "update-interval = 5\n")
    _write("pyproject.toml", "[tool.locust]\nupdate-interval = 6\n")
    _write("locust.conf", "update-interval = 7\n")
    _write("home/.locust.conf", "update-interval = 8\n")
    argv = ("--update-interval", "2", "--config", "special.conf")
    given = _read(*argv, UPDATE_INTERVAL="3").all("update_interval")
    assert [(value.text, value.source) for value in given] == [
        ("2", "--update-interval"),
        ("3", "UPDATE_INTERVAL in the environment"),
        ("4", "UPDATE_INTERVAL in .env"),
        ("5", "update-interval in special.conf"),
        ("6", "update-interval in pyproject.toml"),
        ("7", "update-interval in locust.conf"),
        ("8", "update-interval in ~/.locust.conf"),
    ]


@pytest.mark.parametrize(
    ("argv", "name", "text", "source"),
    [
        (("-r", "7.5"), "spawn_rate", "7.5", "-r"),
        (("-r7.5",), "spawn_rate", "7.5", "-r"),
        (("--spawn-rate=7.5",), "spawn_rate", "7.5", "--spawn-rate"),
        (("-u", "3", "--users", "4"), "num_users", "4", "--users"),
        (("-t", "1h"), "run_time", "1h", "-t"),
        (("-H", "kiosk"), "host", "kiosk", "-H"),
        (("--start-d", "1"), "start_delay", "1", "--start-delay"),
        (("--on-ambiguous", "never"), "on_ambiguous", "never", "--on-ambiguous"),
        (("-r", "nonsense"), "spawn_rate", "nonsense", "-r"),
    ],
)
def test_the_command_line_is_read_as_it_was_written(
    argv: tuple[str, ...], name: str, text: str, source: str
) -> None:
    given = _read(*argv).get(name)
    assert given is not None
    assert (given.text, given.source) == (text, source)


def test_nothing_given_is_nothing_read() -> None:
    assert not [name for name in SETTINGS if _read("--headless", "Kiosk").get(name)]


def test_a_configuration_file_that_cannot_be_read_is_a_mistake() -> None:
    with pytest.raises(OptionsError, match=r"gone\.conf: cannot be read: there is no such file"):
        _resolve("--config", "gone.conf")


@pytest.mark.parametrize(
    ("argv", "environ", "dotenv", "conf", "expected"),
    [
        ((), {}, "", "", (0.05, 1, 1)),
        (("-u", "100"), {}, "", "", (0.05, 100, 100)),
        (("-u", "100"), {}, "START_DELAY=0.5\n", "spawn-rate = 1\n", (0.5, 100, 100)),
        (("-r", "4"), {"START_DELAY": "9"}, "COUNT=100\n", "users = 5\n", (0.25, 5, 100)),
        ((), {"LOCUST_SPAWN_RATE": "2"}, "START_DELAY=9\n", "start-delay = 8\n", (0.5, 1, 1)),
        ((), {}, "COUNT=100\n", "spawn-rate = 10\n", (0.1, 100, 100)),
        ((), {}, "LOCUST_USERS=7\nLOCUST_SPAWN_RATE=8\n", "users = 5\n", (0.125, 7, 7)),
        (("--start-delay", "0"), {}, "LOCUST_SPAWN_RATE=8\n", "", (0.0, 1, 1)),
        (("-u", "3"), {"COUNT": "4"}, "COUNT=5\n", "count = 6\n", (0.05, 3, 4)),
    ],
)
def test_pace_users_and_count_from_real_files(
    argv: tuple[str, ...],
    environ: dict[str, str],
    dotenv: str,
    conf: str,
    expected: tuple[float, int, int],
) -> None:
    _write(".env", dotenv)
    _write("locust.conf", conf)
    found = _resolve(*argv, **environ).options
    assert (found.start_delay_s, found.users, found.count) == expected


def test_some_flags_may_be_given_several_times() -> None:
    _write("locust.conf", "node-type = [a=e2-small, b=e2-medium]\n")
    argv = ["--node-type", "c=e2-small", "--node-type=d=e2-medium,e=e2-micro"]
    assert _patterns(*argv) == ["c", "d", "e"]
    assert _patterns() == ["a", "b"]
    assert get_parser().parse_args(argv).node_type == "c=e2-small,d=e2-medium,e=e2-micro"


def _patterns(*argv: str) -> list[str]:
    return [told.pattern for told in _resolve(*argv).options.cost.node_types]


# --- Locust's parser --------------------------------------------------------------------------


def test_locust_itself_reports_none_of_our_mistakes() -> None:
    argv = [arg for s in SETTINGS.values() if not s.is_locusts and not s.is_flag
            for arg in (s.flag, "nonsense")]  # fmt: skip
    namespace = get_parser().parse_args(argv)
    assert namespace.update_interval == "nonsense"
    assert namespace.workload == "nonsense"


def test_our_options_can_be_sent_to_workers() -> None:
    namespace = get_parser().parse_args(["--simulate"])
    ours = {name: getattr(namespace, name) for name, s in SETTINGS.items() if not s.is_locusts}
    assert msgpack.unpackb(msgpack.packb(ours)) == ours
    assert {type(value) for value in ours.values()} == {str, bool}


def test_the_help_names_flag_environment_and_default() -> None:
    text = " ".join(get_parser().format_help().split())
    assert "Kiosk options" in text
    assert "--update-interval <s>" in text
    assert "unless given. Default: 10. Environment: UPDATE_INTERVAL." in text


def test_secrets_never_reach_the_parser() -> None:
    _write(".env", "GRAFANA_PASSWORD=hunter2\nGRAFANA_TOKEN=hunter3\n")
    layers = _read(GRAFANA_PASSWORD="hunter4")
    assert "hunter" not in repr(layers)
    assert "hunter" not in repr(vars(get_parser().parse_args([])))


# --- the start form ---------------------------------------------------------------------------


def _prefill(shown: Shown, *argv: str, **environ: str) -> tuple[Layers, Namespace]:
    """What the plugin does at init; returns the layers and Locust's parsed options."""
    layers = _read(*argv, **environ)
    namespace = get_parser().parse_args(argv)
    draft = resolving.draft(layers, headless=False, rng=random.Random(1))
    shown.update(arguments.prefill(namespace, layers, draft.options))
    return layers, namespace


def _post(layers: Layers, shown: Shown, posted: Mapping[str, object]) -> resolving.Resolved:
    return resolving.resolve(layers.with_form(posted, shown), headless=False, rng=random.Random(1))


def test_locust_starts_with_what_is_in_force(shown: Shown) -> None:
    _write(".env", "COUNT=100\nSTART_DELAY=0.5\nLOCUST_RUN_TIME=2m\nAPI_HOST=kiosk\nFILE=a.zip\n")
    _, namespace = _prefill(shown)
    assert (namespace.num_users, namespace.spawn_rate) == (100, 2.0)
    assert (namespace.run_time, namespace.host) == (120.0, "http://kiosk")
    assert (namespace.count, namespace.file, namespace.stop_timeout) == ("100", "a.zip", 30.0)


def test_all_at_once_spawns_at_a_rate_that_locust_accepts(shown: Shown) -> None:
    _, namespace = _prefill(shown, "-u", "40", START_DELAY="0")
    assert (namespace.spawn_rate, namespace.all_at_once) == (40.0, True)


def test_the_page_shows_what_is_in_force_whatever_a_lower_source_says(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write("locust.conf", "update-interval = 7\nsimulate = false\n")
    _write(".env", "UPDATE_INTERVAL=5\nSIMULATE=yes\nLABEL=\n")
    _prefill(shown, UPDATE_INTERVAL="3")
    fields = ui_extra_args_dict([])
    assert fields["update_interval"]["default_value"] == "3"
    assert fields["simulate"]["default_value"] is True
    assert fields["workload"]["choices"] == ["", "open", "closed"]


def test_the_page_has_no_field_for_what_belongs_to_the_process(shown: Shown) -> None:
    _prefill(shown)
    fields = ui_extra_args_dict([])
    assert {"count", "file", "all_at_once", "job_type"} <= fields.keys()
    assert not {"start_delay", "output_dir", "log_file", "api_host"} & fields.keys()


def test_a_form_that_changes_nothing_changes_nothing(shown: Shown) -> None:
    layers, namespace = _prefill(shown, "-u", "5", "-t", "60", "--label", "1", COUNT="9")
    before = resolving.resolve(layers, headless=False, rng=random.Random(1))
    after = _post(layers, shown, vars(namespace))
    assert after == before


def test_the_form_counts_where_it_differs(shown: Shown) -> None:
    layers, namespace = _prefill(shown, "-u", "5", "-r", "4")
    namespace.update_interval, namespace.num_users = "2.5", 6
    found = _post(layers, shown, vars(namespace))
    assert (found.options.update_interval_s, found.options.users, found.options.count) == (
        2.5,
        6,
        6,
    )
    assert found.sources["update_interval"] == "Update interval in the form"
    assert found.sources["start_delay"] == "-r"
    assert not found.notices


def test_a_changed_spawn_rate_wins_over_the_command_line(shown: Shown) -> None:
    layers, namespace = _prefill(shown, "-u", "5", "-r", "4")
    namespace.spawn_rate = 8.0
    found = _post(layers, shown, vars(namespace))
    assert found.options.start_delay_s == 0.125
    assert found.notices == ("Spawn rate = 8.0 in the form (a job every 0.125 s) wins over -r 4",)


def test_the_raw_form_reads_the_same(shown: Shown) -> None:
    layers, _ = _prefill(shown, "-u", "5", "-r", "4")
    posted: dict[str, object] = {
        "user_count": "6", "spawn_rate": "4", "host": "", "run_time": "", "all_at_once": "true"
    }  # fmt: skip
    found = _post(layers, shown, posted)
    assert (found.options.users, found.options.start_delay_s) == (6, 0)


def test_unticking_the_box_brings_in_the_rate_beside_it(shown: Shown) -> None:
    layers, namespace = _prefill(shown, "-u", "5", START_DELAY="0")
    namespace.all_at_once = False
    assert _post(layers, shown, vars(namespace)).options.start_delay_s == 0.2


def test_a_box_left_ticked_stands_above_a_changed_rate(shown: Shown) -> None:
    layers, namespace = _prefill(shown, "-u", "5", START_DELAY="0")
    namespace.spawn_rate = 50.0
    assert _post(layers, shown, vars(namespace)).options.start_delay_s == 0


def test_users_that_came_from_count_stand_once_the_form_is_sent(shown: Shown) -> None:
    layers, namespace = _prefill(shown, COUNT="10")
    namespace.count = "50"
    found = _post(layers, shown, vars(namespace)).options
    assert (found.users, found.count, found.workload) == (10, 50, "closed")


def test_an_emptied_run_time_is_none(shown: Shown) -> None:
    layers, _ = _prefill(shown, "-t", "60")
    assert _post(layers, shown, {"user_count": "1", "run_time": ""}).options.run_time_s is None


def test_an_emptied_field_leaves_the_word_to_the_next_source_and_says_so(shown: Shown) -> None:
    layers, namespace = _prefill(shown, RUN_NAME="night")
    namespace.run_name = ""
    found = _post(layers, shown, vars(namespace))
    assert found.options.run_name == "night"
    assert found.notices == (
        "Run name in the form is empty, so RUN_NAME = night in the environment counts",
    )


def test_an_emptied_scale_is_a_value(shown: Shown) -> None:
    layers, namespace = _prefill(shown)
    namespace.scale = ""
    assert _post(layers, shown, vars(namespace)).options.scale == ""


def test_the_form_can_mend_what_was_wrong_before(shown: Shown) -> None:
    _write(".env", "COUNT=100\n")
    layers, namespace = _prefill(shown, API_HOST="kiosk")
    assert namespace.num_users == 100
    with pytest.raises(OptionsError, match="File in the form: is required"):
        _post(layers, shown, vars(namespace))
    namespace.file = "image.png"
    found = _post(layers, shown, vars(namespace)).options
    assert (found.file, found.users, found.count) == ("image.png", 100, 100)


def test_mistakes_in_the_form_are_named_after_its_fields(shown: Shown) -> None:
    layers, namespace = _prefill(shown)
    namespace.update_interval, namespace.num_cycles, namespace.num_users = "0", "none", 0
    with pytest.raises(OptionsError) as caught:
        _post(layers, shown, vars(namespace))
    assert {mistake.source for mistake in caught.value.mistakes} == {
        "Update interval in the form",
        "Num cycles in the form",
        "Number of users in the form",
    }
