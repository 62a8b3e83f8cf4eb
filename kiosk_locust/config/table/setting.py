"""The declaration of a setting: all that others need to know of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from kiosk_locust.config import parsers


class Resume(Enum):
    """What becomes of a setting when its run is resumed."""

    KEPT = auto()  # the ledger's value stands unless another is given
    PLAN = auto()  # the ledger's value stands, and another is a mistake
    PLAN_UNREAD = auto()  # the same; it is not resolved again, since its file may have changed
    ANEW = auto()  # each session has its own
    PROCESS = auto()  # the same, of the process: that it changed is not told


def as_text(value: object) -> str:
    """A value of the options as people write it; None is left empty."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; ``name`` is its attribute in Locust's parsed options.

    ``field`` is the place in `Options` that it sets (``cost.tail_s``; empty: its name; None: none),
    ``also`` are more of them. ``parse`` makes a value of a text, or raises ValueError that says
    what would be right; ``write`` makes of the stored values of its fields a text that parses to
    them (None: another setting's text does).
    """

    name: str
    default: str  # empty: none, or made from other settings
    meaning: str
    unit: str = ""
    derived: str = ""  # what stands in where nothing is given and there is no default
    in_form: bool = True  # whether the web UI's start form shows it
    is_path: bool = False  # whether it names a file or folder of this machine
    is_flag: bool = False  # whether its flag stands alone, without a value
    empty_counts: bool = False  # whether an empty value is a value
    repeats: bool = False  # whether its flag may be given several times; commas join the values
    short: str = ""  # short flag, of Locust's own options
    is_locusts: bool = False  # Locust adds it to its parser itself
    env_only: bool = False  # a second name for the environment and .env, without a flag
    form_name: str = ""  # what the start form calls it, where that is not its name
    hint: str = ""  # the meaning in a few words, for a label of the form; empty: the meaning
    env_name: str | None = ""  # in the environment; empty: its name in capitals; None: none
    field: str | None = ""
    also: tuple[str, ...] = ()
    parse: Callable[[str], Any] = parsers.plain
    write: Callable[..., str] | None = as_text
    resume: Resume = Resume.KEPT
    for_workers: bool = True  # whether workers go by the master's value, and not by the default

    @property
    def env(self) -> str:
        """Its name in the environment; empty: it has none."""
        return "" if self.env_name is None else self.env_name or self.name.upper()

    @property
    def fields(self) -> tuple[str, ...]:
        """All places in `Options` that it sets."""
        return () if self.field is None else (self.field or self.name, *self.also)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it may be; none where it may be others, or is a flag."""
        if self.is_flag:
            return ()
        words: tuple[str, ...] = getattr(self.parse, "words", ())
        return ("true", "false") if self.parse is parsers.boolean else words

    @property
    def flag(self) -> str:
        """The long flag, such as ``--start-delay``; empty where it has none."""
        if self.env_only:
            return ""
        return "--" + ("users" if self.name == "num_users" else self.name.replace("_", "-"))

    @property
    def form_label(self) -> str:
        """The name to use for its field in the start form."""
        return self.form_name or self.name.replace("_", " ").capitalize()

    @property
    def form_hint(self) -> str:
        """What stands in its label beside its name: the unit and the meaning, in few words."""
        text = self.hint or _within_a_line(self.meaning).rstrip(".")
        return f"{self.unit}: {text}" if self.unit and ":" not in self.unit else text

    @property
    def default_shown(self) -> str:
        """The default, in words where it is made from other settings."""
        return self.default or self.derived or "(empty)"


def _within_a_line(sentence: str) -> str:
    """It without its capital letter, unless that begins an abbreviation or a name."""
    first = sentence.split(maxsplit=1)[0]
    return sentence if first[1:] != first[1:].lower() else first[0].lower() + sentence[1:]
