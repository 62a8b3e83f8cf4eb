"""Declaration of a setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from kiosk_locust.config import parsers


class Resume(Enum):
    """Treatment of a setting when its run is resumed."""

    KEPT = auto()  # the ledger's value stands unless another is set
    PLAN = auto()  # the ledger's value stands, and another is a mistake
    PLAN_UNREAD = auto()  # like PLAN, but not resolved again, since its file may have changed
    ANEW = auto()  # each session has its own
    PROCESS = auto()  # like ANEW, of the process: a change is not reported


def as_text(value: object) -> str:
    """A value of the options as users write it; empty for None."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; ``name`` is its attribute in Locust's parsed options.

    ``field`` is the place in `Options` that it sets (``cost.tail_s``; empty: its name; None: none),
    ``also`` are further places. ``parse`` converts a text to a value, or raises ValueError with
    advice; ``write`` converts the stored values of its fields to a text that parses to them (None:
    another setting's text does).
    """

    name: str
    default: str  # empty: none, or derived from other settings
    meaning: str
    unit: str = ""
    derived: str = ""  # the derived default, in words
    in_form: bool = True  # the web UI's start form shows it
    is_path: bool = False  # it names a file or folder of this machine
    is_flag: bool = False  # its flag takes no value
    empty_counts: bool = False  # an empty text is a value
    repeats: bool = False  # its flag may be repeated; commas join the values
    short: str = ""  # short flag, of Locust's own options
    is_locusts: bool = False  # Locust itself adds it to its parser
    env_only: bool = False  # a second name for the environment and .env, without a flag
    form_name: str = ""  # label in the start form, if not its name
    hint: str = ""  # short meaning for the form's label; empty: the meaning
    env_name: str | None = ""  # in the environment; empty: its name in capitals; None: none
    field: str | None = ""
    also: tuple[str, ...] = ()
    parse: Callable[[str], Any] = parsers.plain
    write: Callable[..., str] | None = as_text
    resume: Resume = Resume.KEPT
    for_workers: bool = True  # workers use the master's value, not the default

    @property
    def env(self) -> str:
        """Name in the environment; empty: none."""
        return "" if self.env_name is None else self.env_name or self.name.upper()

    @property
    def fields(self) -> tuple[str, ...]:
        """All places in `Options` that it sets."""
        return () if self.field is None else (self.field or self.name, *self.also)

    @property
    def choices(self) -> tuple[str, ...]:
        """Valid words; empty if others are valid too, or for a flag."""
        if self.is_flag:
            return ()
        words: tuple[str, ...] = getattr(self.parse, "words", ())
        return ("true", "false") if self.parse is parsers.boolean else words

    @property
    def flag(self) -> str:
        """Long flag, such as ``--start-delay``; empty: none."""
        if self.env_only:
            return ""
        return "--" + ("users" if self.name == "num_users" else self.name.replace("_", "-"))

    @property
    def form_label(self) -> str:
        """Label of its field in the start form."""
        return self.form_name or self.name.replace("_", " ").capitalize()

    @property
    def form_hint(self) -> str:
        """Text beside its label in the form: unit and short meaning."""
        text = self.hint or _within_a_line(self.meaning).rstrip(".")
        return f"{self.unit}: {text}" if self.unit and ":" not in self.unit else text

    @property
    def default_shown(self) -> str:
        """The default, in words if it is derived from other settings."""
        return self.default or self.derived or "(empty)"


def _within_a_line(sentence: str) -> str:
    """``sentence`` with a lower-case first letter, unless an abbreviation or a name is first."""
    first = sentence.split(maxsplit=1)[0]
    return sentence if first[1:] != first[1:].lower() else first[0].lower() + sentence[1:]
