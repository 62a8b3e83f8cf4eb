"""Sources of settings: layers of entries, each with the name that the user set it by.

A layer holds everything from one source, as strings. Higher layers take precedence: the web form,
the command line, the environment, ``.env``, configuration files. Nothing is parsed or validated
here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kiosk_locust.config.env_file import DOTENV, LOCUST, misspelt_hosts
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import Mistake

CLUSTER_SIGN = "KUBERNETES_SERVICE_HOST"

FORM = "the form"


@dataclass(frozen=True, slots=True)
class SettingText:
    """A setting's text with its name and ``place`` of origin (empty: the command line)."""

    text: str
    name: str
    place: str = ""

    @property
    def source(self) -> str:
        """Label for messages: ``--start-delay``, ``START_DELAY in .env``."""
        return f"{self.name} in {self.place}" if self.place else self.name

    @property
    def shown(self) -> str:
        """Label and value: ``-r 7.5``, ``START_DELAY = 0.5 in .env``."""
        text = masked(self.text)
        return f"{self.name} = {text} in {self.place}" if self.place else f"{self.name} {text}"


@dataclass(frozen=True, slots=True)
class Layer:
    """All entries from one source, by the settings' names."""

    place: str
    values: Mapping[str, SettingText]
    is_ledgers: bool = False  # it comes from a ledger, of any author

    @property
    def is_operators(self) -> bool:
        """True if the operator who started this process set it, not a form or a ledger."""
        return self.place != FORM and not self.is_ledgers

    def get(self, name: str) -> SettingText | None:
        """Entry of ``name``; None if absent, or empty where an empty text does not count."""
        entry = self.values.get(name)
        if entry is None or (not entry.text.strip() and not SETTINGS[name].empty_counts):
            return None
        return entry


@dataclass(frozen=True, slots=True)
class Layers:
    """All layers, highest first, and the signs that a real Kiosk was meant.

    ``mistakes`` and ``notices`` concern input that sets nothing, such as lines that are not
    understood.
    """

    layers: tuple[Layer, ...] = ()
    signs: tuple[SettingText, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    notices: tuple[str, ...] = ()

    def all(self, name: str) -> Iterator[SettingText]:
        """All entries of ``name``, highest first."""
        return (entry for layer in self.layers if (entry := layer.get(name)) is not None)

    def get(self, name: str) -> SettingText | None:
        """Effective entry of ``name``; None if no layer has one."""
        return next(self.all(name), None)

    def text(self, name: str) -> str:
        """Text of the effective entry of ``name``; empty if no layer has one."""
        entry = self.get(name)
        return entry.text.strip() if entry else ""

    @property
    def operators(self) -> Layers:
        """These layers without entries from a form or a ledger."""
        return replace(self, layers=tuple(layer for layer in self.layers if layer.is_operators))

    def only(self, name: str, place: str) -> SettingText | None:
        """Entry of ``name`` in the layer ``place`` alone."""
        return next((layer.get(name) for layer in self.layers if layer.place == place), None)

    def without_place(self, place: str) -> Layers:
        """These layers without the layer ``place``."""
        return replace(self, layers=tuple(layer for layer in self.layers if layer.place != place))

    def over(self, lowest: Layer) -> Layers:
        """These layers above one more."""
        return replace(self, layers=(*self.layers, lowest))

    def without(self, *names: str) -> Layers:
        """These layers without the settings ``names``."""
        return replace(
            self,
            layers=tuple(
                replace(layer, values={n: g for n, g in layer.values.items() if n not in names})
                for layer in self.layers
            ),
        )

    def with_form(self, posted: Mapping[str, object], prefilled: Mapping[str, str]) -> Layers:
        """These layers below the changes of the start form.

        Args:
            posted: The form's fields, or Locust's parsed options after it took them over; settings
                that are not in the form are ignored.
            prefilled: The values that the page showed before; see
                `kiosk_locust.plugin.arguments.prefill`.

        """
        form = _form_layer(posted, prefilled, self)
        return replace(self, layers=(form, *self.layers))


def masked(text: str) -> str:
    """``text`` without the part before an ``@``, which is a password in an address."""
    return "***@" + text.rsplit("@", 1)[1] if "@" in text else text


def locusts_own(dotenv: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Entries of ``.env`` named LOCUST_… that Locust should see in its environment.

    Left out are names that the environment has already, and names of settings here: they are read
    as a layer of their own, so that messages can name their source.
    """
    own_settings = {setting.env for setting in SETTINGS.values()}
    return {
        name: value
        for name, value in dotenv.items()
        if name.startswith(LOCUST) and value and name not in own_settings and name not in environ
    }


def environment_layers(
    environ: Mapping[str, str], dotenv: Mapping[str, str]
) -> tuple[tuple[Layer, Layer], tuple[SettingText, ...]]:
    """Layers of the environment and of ``.env``, and the signs of a real Kiosk in them."""
    sources = (("the environment", environ), (DOTENV, dotenv))
    above, below = (_environment_layer(place, names) for place, names in sources)
    signs = []
    if environ.get(CLUSTER_SIGN):
        signs.append(SettingText(environ[CLUSTER_SIGN], CLUSTER_SIGN, "the environment"))
    signs += [SettingText(dotenv[name], name, DOTENV) for name in misspelt_hosts(dotenv)]
    return (above, below), tuple(signs)


def _environment_layer(place: str, names: Mapping[str, str]) -> Layer:
    return Layer(
        place,
        {
            setting.name: SettingText(names[setting.env], setting.env, place)
            for setting in SETTINGS.values()
            if setting.env in names
        },
    )


def _form_layer(posted: Mapping[str, object], prefilled: Mapping[str, str], base: Layers) -> Layer:
    """Changed fields of the form, and fields that count though unchanged (see below)."""
    texts = {"num_users" if key == "user_count" else key: value for key, value in posted.items()}
    entries = {
        setting.name: SettingText(form_text(texts[setting.name]), setting.form_label, FORM)
        for setting in SETTINGS.values()
        if setting.in_form and texts.get(setting.name) is not None
    }
    values = {
        name: entry
        for name, entry in entries.items()
        if not _same(entry.text, prefilled.get(name, SETTINGS[name].default))
    }
    # Locust starts as many users as the form says, so a derived number is fixed now.
    if "num_users" in entries and base.get("num_users") is None:
        values["num_users"] = entries["num_users"]
    # Box and rate are side by side: a change of one confirms the other as well.
    if {"all_at_once", "spawn_rate"} & values.keys():
        values |= {key: entries[key] for key in ("all_at_once", "spawn_rate") if key in entries}
    # Locust sets no timer if the field is emptied, whatever other layers say.
    if "run_time" in values and not values["run_time"].text.strip():
        values["run_time"] = replace(values["run_time"], text="0")
    return Layer(FORM, values)


def form_text(value: object) -> str:
    """A value of the form, or of Locust's parsed options, as a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(left: str, right: str) -> bool:
    """Tell if two texts mean the same, such as 20 and 20.0."""
    if left.strip() == right.strip():
        return True
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-12)
    except ValueError:
        return False
