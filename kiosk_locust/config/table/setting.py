"""What is known of a setting before anybody has set it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; ``name`` is its attribute in Locust's parsed options."""

    name: str
    env: str  # empty: it has no name in the environment
    default: str  # empty: none, or made from other settings
    meaning: str
    unit: str = ""
    derived: str = ""  # what stands in where nothing is given and there is no default
    in_form: bool = True  # whether the web UI's start form shows it
    is_path: bool = False  # whether it names a file or folder of this machine
    is_flag: bool = False  # whether its flag stands alone, without a value
    empty_counts: bool = False  # whether an empty value is a value
    repeats: bool = False  # whether its flag may be given several times; commas join the values
    choices: tuple[str, ...] = ()
    short: str = ""  # short flag, of Locust's own options
    is_locusts: bool = False  # Locust adds it to its parser itself
    env_only: bool = False  # a second name for the environment and .env, without a flag
    form_name: str = ""  # what the start form calls it, where that is not its name
    hint: str = ""  # the meaning in a few words, for a label of the form; empty: the meaning

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
