"""Where settings come from: layers, each value with the name that the user gave it by.

A layer is all that one source gave, as strings. Higher layers win: the web form, the command
line, the environment, ``.env``, configuration files. Nothing is parsed or judged here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kiosk_locust.config.env_file import DOTENV, LOCUST, hosts_meant
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import Mistake

CLUSTER_SIGN = "KUBERNETES_SERVICE_HOST"

FORM = "the form"


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given: by which name, and ``place`` where (empty on the command line)."""

    text: str
    name: str
    place: str = ""

    @property
    def source(self) -> str:
        """The label for messages: ``--start-delay``, ``START_DELAY in .env``."""
        return f"{self.name} in {self.place}" if self.place else self.name

    @property
    def shown(self) -> str:
        """Label and value: ``-r 7.5``, ``START_DELAY = 0.5 in .env``."""
        text = masked(self.text)
        return f"{self.name} = {text} in {self.place}" if self.place else f"{self.name} {text}"


@dataclass(frozen=True, slots=True)
class Layer:
    """All that one source gave, by the settings' names."""

    place: str
    values: Mapping[str, Given]
    is_ledgers: bool = False  # a ledger says so, whoever wrote that

    @property
    def is_operators(self) -> bool:
        """True if whoever started this process gave it, not a form or a ledger."""
        return self.place != FORM and not self.is_ledgers

    def get(self, name: str) -> Given | None:
        """What was given for ``name``; an empty text counts only where the setting says so."""
        given = self.values.get(name)
        if given is None or (not given.text.strip() and not SETTINGS[name].empty_counts):
            return None
        return given


@dataclass(frozen=True, slots=True)
class Layers:
    """All layers, highest first, and the signs that a real Kiosk was meant.

    ``mistakes`` and ``notices`` are of what gives no setting: lines that are not understood.
    """

    layers: tuple[Layer, ...] = ()
    signs: tuple[Given, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    notices: tuple[str, ...] = ()

    def all(self, name: str) -> Iterator[Given]:
        """Everything that was given for ``name``, highest first."""
        return (given for layer in self.layers if (given := layer.get(name)) is not None)

    def get(self, name: str) -> Given | None:
        """What counts for ``name``, or None if nobody gave it."""
        return next(self.all(name), None)

    def text(self, name: str) -> str:
        """What counts for ``name``, as it was given; empty if nobody gave it."""
        given = self.get(name)
        return given.text.strip() if given else ""

    @property
    def operators(self) -> Layers:
        """These layers without what a form or a ledger says."""
        return replace(self, layers=tuple(layer for layer in self.layers if layer.is_operators))

    def only(self, name: str, place: str) -> Given | None:
        """The value of ``name`` in the layer ``place`` alone."""
        return next((layer.get(name) for layer in self.layers if layer.place == place), None)

    def without_place(self, place: str) -> Layers:
        """These layers as if that one had given nothing."""
        return replace(self, layers=tuple(one for one in self.layers if one.place != place))

    def over(self, lowest: Layer) -> Layers:
        """These layers above one more."""
        return replace(self, layers=(*self.layers, lowest))

    def without(self, *names: str) -> Layers:
        """These layers as if nobody had given ``names``."""
        return replace(
            self,
            layers=tuple(
                replace(layer, values={n: g for n, g in layer.values.items() if n not in names})
                for layer in self.layers
            ),
        )

    def with_form(self, posted: Mapping[str, object], prefilled: Mapping[str, str]) -> Layers:
        """These layers under what the start form changed.

        ``posted`` is the form as it came, or Locust's parsed options after it was taken over, of
        which settings that are not in the form do not count;
        ``prefilled`` what the page showed before (see `kiosk_locust.plugin.arguments.prefill`).
        """
        form = _form_layer(posted, prefilled, self)
        return replace(self, layers=(form, *self.layers))


def masked(text: str) -> str:
    """``text`` without what stands before an ``@``: in an address, that is a password."""
    return "***@" + text.rsplit("@", 1)[1] if "@" in text else text


def locusts_own(dotenv: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The LOCUST_… names of ``.env`` that Locust should find in its environment.

    Left out are those that the environment has already, and those that are settings here: they
    are read as a layer of their own, so that messages can say where they came from.
    """
    ours = {setting.env for setting in SETTINGS.values()}
    return {
        name: value
        for name, value in dotenv.items()
        if name.startswith(LOCUST) and value and name not in ours and name not in environ
    }


def environment_layers(
    environ: Mapping[str, str], dotenv: Mapping[str, str]
) -> tuple[tuple[Layer, Layer], tuple[Given, ...]]:
    """The layers of the environment and of ``.env``, and the signs found in them."""
    sources = (("the environment", environ), (DOTENV, dotenv))
    above, below = (_environment_layer(place, names) for place, names in sources)
    signs = []
    if environ.get(CLUSTER_SIGN):
        signs.append(Given(environ[CLUSTER_SIGN], CLUSTER_SIGN, "the environment"))
    signs += [Given(dotenv[name], name, DOTENV) for name in hosts_meant(dotenv)]
    return (above, below), tuple(signs)


def _environment_layer(place: str, names: Mapping[str, str]) -> Layer:
    return Layer(
        place,
        {
            setting.name: Given(names[setting.env], setting.env, place)
            for setting in SETTINGS.values()
            if setting.env in names
        },
    )


def _form_layer(posted: Mapping[str, object], prefilled: Mapping[str, str], base: Layers) -> Layer:
    """What the form changed, and what counts although it did not change (see below)."""
    texts = {"num_users" if key == "user_count" else key: value for key, value in posted.items()}
    found = {
        setting.name: Given(form_text(texts[setting.name]), setting.form_label, FORM)
        for setting in SETTINGS.values()
        if setting.in_form and texts.get(setting.name) is not None
    }
    values = {
        name: given
        for name, given in found.items()
        if not _same(given.text, prefilled.get(name, SETTINGS[name].default))
    }
    # Locust starts as many users as the form says; a number that was only derived now stands.
    if "num_users" in found and base.get("num_users") is None:
        values["num_users"] = found["num_users"]
    # Box and rate stand side by side: whoever touches one sees, and means, the other as well.
    if {"all_at_once", "spawn_rate"} & values.keys():
        values |= {key: found[key] for key in ("all_at_once", "spawn_rate") if key in found}
    # Locust sets no timer if the field is emptied, whatever was given before.
    if "run_time" in values and not values["run_time"].text.strip():
        values["run_time"] = replace(values["run_time"], text="0")
    return Layer(FORM, values)


def form_text(value: object) -> str:
    """A value of the form, or of Locust's parsed options, as a string."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(one: str, other: str) -> bool:
    """Whether two texts say the same, be it 20 and 20.0."""
    if one.strip() == other.strip():
        return True
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-12)
    except ValueError:
        return False
