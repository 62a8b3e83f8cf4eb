"""Layers of settings for tests, written as people write them."""

from __future__ import annotations

import random
from collections.abc import Mapping

from kiosk_locust.config import resolve as resolving
from kiosk_locust.config.sources import FORM, Layer, Layers, SettingText, environment_layers
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.errors import OptionsError

Texts = Mapping[str, str]


def make_layers(
    *,
    form: Texts | None = None,
    cli: Texts | None = None,
    env: Texts | None = None,
    dotenv: Texts | None = None,
    conf: Texts | None = None,
) -> Layers:
    """Layers from names as each source has them; the form's are the settings' own names."""
    by_flag = {s.flag: s.name for s in SETTINGS.values()}
    by_key = {flag.removeprefix("--"): name for flag, name in by_flag.items()}
    configured = {
        by_key[key]: SettingText(text, key, "locust.conf") for key, text in (conf or {}).items()
    }
    by_flag |= {s.short: s.name for s in SETTINGS.values() if s.short}
    given = {by_flag[flag]: SettingText(text, flag) for flag, text in (cli or {}).items()}
    posted = {
        n: SettingText(text, SETTINGS[n].form_label, FORM) for n, text in (form or {}).items()
    }
    posts = () if form is None else (Layer(FORM, posted),)
    environments, signs = environment_layers(env or {}, dotenv or {})
    return Layers(
        (
            *posts,
            Layer("the command line", given),
            *environments,
            Layer("locust.conf", configured),
        ),
        signs,
    )


def resolve_layers(
    layers: Layers, *, class_host: str | None = None, headless: bool = True
) -> resolving.Resolved:
    """What these layers make together."""
    return resolving.resolve(layers, class_host=class_host, headless=headless, rng=random.Random(7))


def mistakes_in(
    layers: Layers, *, class_host: str | None = None, headless: bool = True
) -> list[str]:
    """Every mistake in these layers, as the user reads it."""
    try:
        resolve_layers(layers, class_host=class_host, headless=headless)
    except OptionsError as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


def resolve(**sources: Texts) -> resolving.Resolved:
    """What these sources make together, named as in `make_layers`."""
    return resolve_layers(make_layers(**sources))


def mistakes(**sources: Texts) -> list[str]:
    """Every mistake in these sources, named as in `make_layers`."""
    return mistakes_in(make_layers(**sources))
