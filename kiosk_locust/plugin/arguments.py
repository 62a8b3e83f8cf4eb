"""The settings on Locust's command line and in its start form; alone in knowing its parser.

Our options reach the parser as strings: with types and choices, argparse reports the first
mistake only, and the form answers a wrong one with a bare HTTP 500. For the same reason the
parser is not told their names in the environment; `read` looks there itself.
"""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from locust.argument_parser import DEFAULT_CONFIG_FILES, LocustArgumentParser, get_parser

from kiosk_locust.config.parsers import boolean
from kiosk_locust.config.sources import Layer, Layers, SettingText, environment_layers, form_text
from kiosk_locust.config.table import SETTINGS, Setting
from kiosk_locust.errors import Mistake
from kiosk_locust.model.options import Options
from kiosk_locust.plugin import locust_config
from kiosk_locust.plugin.locust_config import ConfigFile
from kiosk_locust.plugin.locust_patches import timespan
from kiosk_locust.verdict.exit_code import Verdict

GROUP = "Kiosk options"


def _whole_or_time(text: str) -> float:
    """Seconds as Locust takes them, a whole number of any sign, or else any duration."""
    try:
        return int(text)
    except ValueError:
        return _time(text)


def _time(text: str) -> float:
    """A duration that Locust's parser takes, or else any of ours; in seconds."""
    try:
        return timespan(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


#: Locust's own options that are times, and how they are read: as Locust does, where it can.
LOCUSTS_TIMES: Mapping[str, Callable[[str], float]] = {
    "run_time": _time,
    "stop_timeout": _time,
    "autoquit": _whole_or_time,
    "expect_workers_max_wait": _whole_or_time,
}


class _Suggested(list[str]):
    """Choices that make a drop-down list in the form, and that argparse does not insist on."""

    def __contains__(self, _value: object) -> bool:
        return True


class _Unmoved(argparse.Action):
    """An argument whose default is in force already, whatever the parser reads."""

    def __call__(self, *_args: object, **_kwargs: object) -> None:
        """Keep the default."""


class _Joined(argparse._AppendAction):  # for which configuration files may have a list
    """An argument that may be given several times: its values are joined by commas."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        _option: str | None = None,
    ) -> None:
        """Add one more value; what stands there before the first is a default."""
        before = getattr(namespace, self.dest, None)
        joined = isinstance(before, str) and before
        setattr(namespace, self.dest, f"{before},{values}" if joined else str(values))


def add_options(parser: LocustArgumentParser, shown: Mapping[str, str] | None = None) -> None:
    """Add our settings to Locust's parser.

    Locust makes a new parser, and reads all sources but ``.env`` again, whenever somebody opens
    its page. From then on ``shown``, which `prefill` returned, is what the form shows.
    """
    for action in parser._actions:  # there is no public way
        if action.dest in LOCUSTS_TIMES:
            action.type = LOCUSTS_TIMES[action.dest]
    group = parser.add_argument_group(GROUP)
    for setting in SETTINGS.values():
        if not setting.is_locusts:
            # A group's add_argument knows Locust's extra arguments only as attributes.
            action = group.add_argument(setting.flag, **_argument(setting, shown))
            action.include_in_web_ui = setting.in_form
            if setting.choices:
                action.choices = _Suggested(setting.choices)


def explain_errors(parser: LocustArgumentParser, argv: Sequence[str]) -> None:
    """Have the parser's refusals name the configuration file and line that they come from.

    Locust 2.47 reads a key of a file as an argument, and says no more of it than that it is
    unrecognized. The last line has the exit code, as after every other end.
    """
    refuse: Callable[[str], NoReturn] = parser.error
    leave: Callable[[int, str | None], NoReturn] = parser.exit

    def leaving(status: int = 0, message: str | None = None) -> NoReturn:
        last = Verdict(2, "the command line or a configuration file is not understood").line
        leave(status, f"{message or ''}{last}\n" if status else message)

    def error(message: str) -> NoReturn:
        files = _config_files(_config_of(argv), parser._option_string_actions)
        remarks = [str(each) for file in files for each in (*file.mistakes, *file.notices)]
        parser.exit = leaving
        refuse("\n".join([message, *remarks]))

    parser.error = error  # type: ignore[method-assign]


def _config_of(argv: Sequence[str]) -> str | None:
    """The file of ``--config``, where it is on the command line."""
    words = [part for word in argv for part in word.split("=", 1)]
    return next((value for flag, value in pairwise(words) if flag == "--config"), None)


def _argument(setting: Setting, shown: Mapping[str, str] | None) -> dict[str, Any]:
    """The keyword arguments of ``add_argument``."""
    named = f" Environment: {setting.env}." if setting.env else ""
    text = (shown or {}).get(setting.name, setting.default)
    meant = f"{setting.meaning} Default: {setting.default_shown}.{named}"
    # The form has one line for it, and shows the default as the field's value.
    argument: dict[str, Any] = {
        "dest": setting.name,
        # argparse reads % as the beginning of a name of its own.
        "help": meant.replace("%", "%%") if shown is None else setting.form_hint,
    }
    if setting.is_flag:
        default = text == "true"
        const = True if shown is None else default
        return argument | {"action": "store_const", "const": const, "default": default}
    if shown is not None:
        argument["action"] = _Unmoved
    elif setting.repeats:
        argument["action"] = _Joined
    return argument | {"default": text, "metavar": f"<{setting.unit or 'text'}>"}


def read(
    argv: Sequence[str],
    environ: Mapping[str, str],
    dotenv: Mapping[str, str],
    mistakes: Sequence[Mistake] = (),
) -> Layers:
    """Everything that was given, with the name it was given by.

    ``argv`` are the arguments after the program's name; configuration files are looked for where
    Locust looks for them. ``mistakes`` are in ``dotenv``; those of configuration files are added.
    """
    parser = _parser()
    given, config = _command_line(parser, argv)
    environments, signs = environment_layers(environ, dotenv)
    files = list(_config_files(config, parser._option_string_actions))  # there is no public way
    return Layers(
        (given, *environments, *(file.layer for file in files)),
        signs,
        (*mistakes, *(mistake for file in files for mistake in file.mistakes)),
        tuple(notice for file in files for notice in file.notices),
    )


def _parser() -> LocustArgumentParser:
    """Locust's parser with all options, which takes any text for each."""
    parser = get_parser()
    for action in parser._actions:  # as Locust does; there is no public way
        action.type = None
        action.choices = None
    return parser


def _command_line(parser: LocustArgumentParser, argv: Sequence[str]) -> tuple[Layer, str | None]:
    """What the command line alone gave, and its ``--config`` file."""
    unset = object()
    namespace = argparse.Namespace(**dict.fromkeys(SETTINGS, unset))
    parser.parse_known_args(argv, namespace=namespace, env_vars={}, config_file_contents="")
    values = {
        name: SettingText(form_text(value), _name_used(setting, argv))
        for name, setting in SETTINGS.items()
        if (value := getattr(namespace, name)) is not unset
    }
    return Layer("the command line", values), namespace.config


def _name_used(setting: Setting, argv: Sequence[str]) -> str:
    """The flag by which a setting was given; the long one if it was shortened."""
    for arg in reversed(argv):
        if arg == setting.flag or arg.startswith(setting.flag + "="):
            return setting.flag
        if setting.short and arg.startswith(setting.short):
            return setting.short
    return setting.flag


def _config_files(config: str | None, options: locust_config.Options) -> Iterator[ConfigFile]:
    """Each configuration file that there is; the one that wins first."""
    if config:
        yield locust_config.read(config, config, options)
    for name in reversed(DEFAULT_CONFIG_FILES):
        for path in glob.glob(os.path.expanduser(name)):  # as Locust does
            yield locust_config.read(path, name, options)


def prefill(namespace: argparse.Namespace, layers: Layers, options: Options) -> dict[str, str]:
    """Make Locust's parsed options say what is in force, and return what the form then shows.

    ``options`` may be a draft with mistakes. What follows from other settings (COUNT from -u, a
    random seed) is left empty, so that it follows what is changed in the form, too.
    """
    shown = {s.name: _in_force(s, layers) for s in SETTINGS.values() if not s.is_locusts}
    delay_s = options.start_delay_s
    shown["start_delay"] = str(delay_s)
    shown["all_at_once"] = form_text(delay_s == 0)
    for name, text in shown.items():
        setattr(namespace, name, text == "true" if SETTINGS[name].is_flag else text)
    ours = {
        "host": options.host,
        "num_users": options.users,
        "spawn_rate": 1 / delay_s if delay_s else float(options.users),
        "run_time": options.run_time_s,
        "stop_timeout": options.stop_timeout_s,
    }
    for name, value in ours.items():
        setattr(namespace, name, value)
        shown[name] = "" if value is None else str(value)
    return shown


def _in_force(setting: Setting, layers: Layers) -> str:
    given = layers.get(setting.name)
    text = setting.default if given is None else given.text.strip()
    if not setting.is_flag:
        return text
    try:
        return form_text(boolean(text))
    except ValueError:
        return setting.default or "false"  # empty: it follows other settings until it is set
