"""The plan of a ledger: its options as settings, and contradictions to them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk_locust.client.proxies import is_loopback
from kiosk_locust.config import parsers
from kiosk_locust.config.folders import is_near
from kiosk_locust.config.pacing import TOLERANCE
from kiosk_locust.config.sources import Layer, Layers, SettingText, masked
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.table.setting import Resume
from kiosk_locust.errors import Mistake
from kiosk_locust.model.options import Options, Ramp, from_json

#: Settings that are taken from the ledger alone: a trace's file may have changed or vanished.
NOT_READ_AGAIN = tuple(s.name for s in SETTINGS.values() if s.resume is Resume.PLAN_UNREAD)


def plan_fields() -> Mapping[str, tuple[str, ...]]:
    """Each field of the options that defines the plan, with the settings that determine it.

    If one source has several of them, the first is reported: flags come before others, and Locust's
    own last.
    """
    settings = sorted(
        SETTINGS.values(), key=lambda declared: (not declared.is_flag, declared.is_locusts)
    )
    fixed = [s for s in settings if s.resume in (Resume.PLAN, Resume.PLAN_UNREAD)]
    fields = [field.name for field in dataclasses.fields(Options)]
    places = dict.fromkeys(place for setting in fixed for place in setting.fields)
    in_order = sorted(places, key=lambda place: fields.index(place.partition(".")[0]))
    return {place: tuple(s.name for s in fixed if place in s.fields) for place in in_order}


#: Advice on a value that differs from the ledger's, if omitting it would be rash.
_ADVICE = {"host": "set it to that if you know that it is your Kiosk"}
_ABSENT = object()


def setting_texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """Texts of settings that make the options in ``planned`` again.

    A trace is without its times, a run against the embedded Kiosk without a host.
    """
    by_name = {}
    for setting in SETTINGS.values():
        values = [_value(planned, place, _ABSENT) for place in setting.fields]
        is_reused = setting.resume not in (Resume.ANEW, Resume.PROCESS)
        if is_reused and setting.write and values and _ABSENT not in values:
            by_name[setting.name] = setting.write(*values)
    return by_name


def layer(planned: Mapping[str, Any], place: str, **extra_texts: str) -> Layer:
    """Layer of a ledger's settings; ``place`` is its name in messages."""
    ledger_texts = setting_texts(planned) | extra_texts
    return Layer(
        place,
        # A damaged ledger may hold any type; as text it becomes a mistake with a name.
        {
            name: SettingText(str(text), SETTINGS[name].env or name, place)
            for name, text in ledger_texts.items()
        },
        is_ledgers=True,
    )


def contradictions(
    planned: Mapping[str, Any],
    resolved: Mapping[str, Any],
    layers: Layers,
    base_url: str,
    place: str,
) -> Iterator[Mistake]:
    """One mistake for each setting in ``layers`` that changes the ledger's plan.

    Args:
        planned: The ledger's options as JSON.
        resolved: The resolved options as JSON.
        layers: The user's settings.
        base_url: The address of the Kiosk in the run.
        place: The ledger's name in messages.

    """
    reported: set[tuple[str, str]] = set()
    for field, names in plan_fields().items():
        before, now = _value(planned, field), _value(resolved, field)
        if field in NOT_READ_AGAIN:
            now = _arrivals_of_user(field, layers, before)
        entry = _first(layers, names)
        if entry is None or _same(field, before, now, base_url):
            continue
        if field == "file" and (resolved.get("transfers") or {}).get("upload"):
            continue  # the same files may be elsewhere here: they are checked separately
        if (entry.source, entry.text) not in reported:
            reported.add((entry.source, entry.text))
            yield Mistake(
                entry.source,
                entry.text,
                f"{place} has {_shown(field, before)}, and that cannot change while a run is "
                f"resumed: {_ADVICE.get(field, 'leave it out')}, or start a new run",
            )


def strange_target(host: str, file: str, layers: Layers, place: str) -> Iterator[Mistake]:
    """A mistake if the ledger alone names both the files to upload and the Kiosk, ``host``.

    Its author could obtain files of the working folder. ``layers`` are the settings of the user who
    resumes the run; with a loopback address nothing leaves this machine.
    """
    if any(layers.get(name) for name in ("file", "host", "api_host")):
        return
    if host and not is_loopback(urlsplit(host).hostname or ""):
        yield Mistake(
            f"API_HOST and FILE in {place}",
            f"{masked(host)} and {file}",
            "are named by it alone, and it may be of another's making: its files would be uploaded"
            " to its host; if both are right, give API_HOST (--host) or FILE (--file) again",
        )


def strange_paths(lowest: Layer, layers: Layers, beside: Path) -> Iterator[Mistake]:
    """One mistake for each local path outside the run's folders that a ledger alone names.

    A ledger may have another author, so its paths count only in the working folder and in the
    ledger's own folder, ``beside``. FILE is checked by `kiosk_locust.config.transfers`; a bucket
    never counts.

    Args:
        lowest: The ledger's settings.
        layers: The settings of the user who resumes the run.
        beside: The ledger's folder.

    """
    for name in ("prices", "junit_xml"):
        ledger_entry = lowest.get(name)
        if ledger_entry is None or layers.get(name) is not None:
            continue
        path = _local_path(ledger_entry.text)
        if path is not None and not is_near(path, beside):
            setting = SETTINGS[name]
            yield Mistake(
                ledger_entry.source,
                ledger_entry.text,
                "is neither in the working folder nor beside the ledger, and nobody else names it:"
                f" set {setting.env or setting.flag} to it if that is meant, or to another",
            )


def _local_path(text: str) -> Path | None:
    """Local path of a setting; None if its text is invalid."""
    try:
        return parsers.path(text)
    except ValueError:
        return None  # a mistake that is reported elsewhere


def _value(options: Mapping[str, Any], place: str, absent: Any = None) -> Any:
    """Value of a field, such as ``cost.tail_s``."""
    group, _, subfield = place.partition(".")
    if group not in options:
        return absent
    return _value(options[group] or {}, subfield, absent) if subfield else options[group]


def _arrivals_of_user(field: str, layers: Layers, before: Any) -> Any:
    """The user's arrivals in the form of the options; ``before`` if they set none."""
    text = layers.text(field)
    if field == "arrival":
        return text.lower() or ("ramp" if layers.get("ramp") else before)
    if field == "ramp" and text:
        try:
            return dataclasses.asdict(SETTINGS["ramp"].parse(text))
        except ValueError:
            return text
    return text or before


def _first(layers: Layers, names: tuple[str, ...]) -> SettingText | None:
    """Effective entry of several settings: of the highest layer, and of the first name in it."""
    for layer_entries in layers.layers:
        for name in names:
            entry = layer_entries.get(name)
            if entry is not None and (name, entry.text.strip()) != ("all_at_once", "false"):
                return entry
    return None


def _same(field: str, before: Any, now: Any, base_url: str) -> bool:
    if field == "host":
        return now is not None and _address(now) in (_address(before or ""), _address(base_url))
    if field == "start_delay_s":
        return math.isclose(before, now, rel_tol=TOLERANCE)
    if field == "arrival_trace":
        return not now or Path(now) == Path(before or "")
    return bool(before == now)


def _address(host: str) -> tuple[str, str | None, int | None, str]:
    """Comparable parts of an address: http://a and http://a:80/ are the same Kiosk."""
    url = urlsplit(host)
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.hostname, port, url.path.rstrip("/")


def _shown(field: str, value: Any) -> str:
    if field == "ramp" and isinstance(value, dict):
        value = from_json(Ramp, value)
    field = field.rpartition(".")[2]
    if value in (None, "", False):
        return f"no {field}"
    unit = " s" if field.endswith("_s") else ""
    return f"{field.removesuffix('_s')} {value}{unit}"
