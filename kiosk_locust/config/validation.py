"""Checks that go on after a mistake, so that all of them are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from kiosk_locust.config import confined
from kiosk_locust.config.parsers import LoginError
from kiosk_locust.config.sources import FORM, Given, Layers, masked
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import Mistake

T = TypeVar("T")

#: A user and a password before a host, whatever setting they were typed into.
_LOGIN = re.compile(r":.*@", re.DOTALL)

DEFAULT = "default"


class Checker:
    """Reads settings from layers; collects mistakes, notices and where each value came from."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.mistakes = list(layers.mistakes)
        self.failed: set[str] = set()  # settings that were given, but cannot be read
        self.notices = list(layers.notices)
        self.sources: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def take(self, name: str) -> Any:
        """The value of a setting: of what was given, else, and after a mistake, of its default.

        However often a setting is taken, it is read once.
        """
        if name not in self._values:
            self._values[name] = self._read(name)
        return self._values[name]

    def _read(self, name: str) -> Any:
        setting, given = SETTINGS[name], self.layers.get(name)
        self.sources[name] = given.source if given else DEFAULT
        if given is not None:
            try:
                return self.parse(name, given, setting.parse)
            except ValueError as error:
                self.fail(name, given, error)
        return setting.parse(setting.default)

    def parse(self, name: str, given: Given, parse: Callable[[str], T]) -> T:
        """The value of ``given``; raises ValueError, also for a file that a form may not name."""
        if SETTINGS[name].is_path and not confined.is_allowed(given, self.layers):
            raise ValueError(confined.ADVICE)
        return parse(given.text)

    def fail(self, name: str, given: Given, error: ValueError) -> None:
        """Note that what was given for ``name`` is a mistake."""
        self.failed.add(name)
        if isinstance(error, LoginError):
            given = replace(given, text=masked(given.text))
        self.refuse(given, str(error))

    def check(self, name: str, can_be_used: Callable[[Any], None]) -> None:
        """Note a mistake where ``can_be_used`` raises ValueError for the value, even a default."""
        value = self.take(name)
        if name not in self.failed:
            setting = SETTINGS[name]
            default = Given(setting.default, f"{setting.env} ({DEFAULT})")
            try:
                can_be_used(value)
            except ValueError as error:
                self.fail(name, self.layers.get(name) or default, error)

    def refuse(self, given: Given | None, advice: str, *, source: str = "") -> None:
        """Note a mistake; ``source`` names it where nobody gave anything."""
        if given is None:
            self.mistakes.append(Mistake(source, "", advice))
        else:
            text = masked(given.text) if _LOGIN.search(given.text) else given.text
            self.mistakes.append(Mistake(given.source, text, advice))

    def refuse_missing(self, name: str, advice: str) -> None:
        """Note that nobody gave ``name``, by the name that whoever reads it can give it by."""
        setting = SETTINGS[name]
        is_form = any(layer.place == FORM for layer in self.layers.layers)
        source = f"{setting.form_label} in {FORM}" if is_form else f"{setting.env} ({setting.flag})"
        self.refuse(None, advice, source=source)

    def notice(self, line: str) -> None:
        """Note a line that the user should read before the run."""
        self.notices.append(line)
