"""Checks that go on after a mistake, so that all of them are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from kiosk_locust.config import confined
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

    def take(self, name: str, parse: Callable[[str], T], otherwise: T) -> T:
        """What was given for ``name``, else its default; ``otherwise`` after a mistake."""
        given = self.layers.get(name)
        if given is not None:
            return self.parse(name, given, parse, otherwise)
        setting = SETTINGS[name]
        default = Given(setting.default, f"{setting.env} ({DEFAULT})")
        value = self.parse(name, default, parse, otherwise)
        self.sources[name] = DEFAULT
        return value

    def take_if_given(self, name: str, parse: Callable[[str], T]) -> T | None:
        """What was given for ``name``; None where nothing was, and after a mistake."""
        given = self.layers.get(name)
        if given is not None:
            return self.parse(name, given, parse, None)
        self.sources[name] = DEFAULT
        return None

    def parse(self, name: str, given: Given, parse: Callable[[str], T], otherwise: T) -> T:
        """The value of ``given``, which counts for ``name``; ``otherwise`` after a mistake."""
        self.sources[name] = given.source
        if SETTINGS[name].is_path and not confined.is_allowed(given, self.layers):
            self.failed.add(name)
            self.refuse(given, confined.ADVICE)
            return otherwise
        try:
            return parse(given.text)
        except ValueError as error:
            self.failed.add(name)
            self.refuse(given, str(error))
            return otherwise

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
