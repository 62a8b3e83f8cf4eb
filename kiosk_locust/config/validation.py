"""Validation that continues after a mistake, so that all are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from kiosk_locust.config import confined
from kiosk_locust.config.parsers import LoginError
from kiosk_locust.config.sources import FORM, Layers, SettingText, masked
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import Mistake

T = TypeVar("T")

#: A user and a password before a host, in any setting.
_LOGIN = re.compile(r":.*@", re.DOTALL)

DEFAULT = "default"


class Checker:
    """Reader of settings from layers; collects mistakes, notices and sources of values."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.mistakes = list(layers.mistakes)
        self.failed: set[str] = set()  # settings with an invalid entry
        self.notices = list(layers.notices)
        self.sources: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def take(self, name: str) -> Any:
        """Value of a setting: of its entry, or of its default if there is none or it is invalid.

        Each setting is parsed once, however often it is taken.
        """
        if name not in self._values:
            self._values[name] = self._read(name)
        return self._values[name]

    def _read(self, name: str) -> Any:
        setting, entry = SETTINGS[name], self.layers.get(name)
        self.sources[name] = entry.source if entry else DEFAULT
        if entry is not None:
            try:
                return self.parse(name, entry, setting.parse)
            except ValueError as error:
                self.fail(name, entry, error)
        return setting.parse(setting.default)

    def parse(self, name: str, entry: SettingText, parse: Callable[[str], T]) -> T:
        """Value of ``entry``.

        Raises:
            ValueError: It is invalid, or names a file that a form may not access.

        """
        if SETTINGS[name].is_path and not confined.is_allowed(entry, self.layers):
            raise ValueError(confined.ADVICE)
        return parse(entry.text)

    def fail(self, name: str, entry: SettingText, error: ValueError) -> None:
        """Note an invalid entry of ``name`` as a mistake."""
        self.failed.add(name)
        if isinstance(error, LoginError):
            entry = replace(entry, text=masked(entry.text))
        self.refuse(entry, str(error))

    def check(self, name: str, can_be_used: Callable[[Any], None]) -> None:
        """Note a mistake if ``can_be_used`` raises ValueError for the value, even a default."""
        value = self.take(name)
        if name not in self.failed:
            setting = SETTINGS[name]
            default = SettingText(setting.default, f"{setting.env} ({DEFAULT})")
            try:
                can_be_used(value)
            except ValueError as error:
                self.fail(name, self.layers.get(name) or default, error)

    def refuse(self, entry: SettingText | None, advice: str, *, source: str = "") -> None:
        """Note a mistake about ``entry``, or about ``source`` if there is no entry."""
        if entry is None:
            self.mistakes.append(Mistake(source, "", advice))
        else:
            text = masked(entry.text) if _LOGIN.search(entry.text) else entry.text
            self.mistakes.append(Mistake(entry.source, text, advice))

    def refuse_missing(self, name: str, advice: str) -> None:
        """Note that ``name`` is missing, by the name that the user can set it by."""
        setting = SETTINGS[name]
        is_form = any(layer.place == FORM for layer in self.layers.layers)
        source = f"{setting.form_label} in {FORM}" if is_form else f"{setting.env} ({setting.flag})"
        self.refuse(None, advice, source=source)

    def notice(self, line: str) -> None:
        """Add a line that the user should read before the run."""
        self.notices.append(line)
