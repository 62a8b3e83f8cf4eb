"""A plan that is there already: a ledger's options as settings, and what contradicts them."""

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
from kiosk_locust.config.sources import Given, Layer, Layers, masked
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.table.setting import Resume
from kiosk_locust.errors import Mistake
from kiosk_locust.model.options import Options, Ramp, from_json

#: Settings that are read from the ledger alone: a trace's file may have changed or vanished.
NOT_READ_AGAIN = tuple(s.name for s in SETTINGS.values() if s.resume is Resume.PLAN_UNREAD)


def plan() -> Mapping[str, tuple[str, ...]]:
    """Each field of the options that defines the plan, and the settings that it is made from.

    Where one source gives several of them, the first is to blame: flags come before the others,
    and Locust's own last.
    """
    settings = sorted(SETTINGS.values(), key=lambda each: (not each.is_flag, each.is_locusts))
    fixed = [s for s in settings if s.resume in (Resume.PLAN, Resume.PLAN_UNREAD)]
    fields = [field.name for field in dataclasses.fields(Options)]
    places = dict.fromkeys(place for setting in fixed for place in setting.fields)
    in_order = sorted(places, key=lambda place: fields.index(place.partition(".")[0]))
    return {place: tuple(s.name for s in fixed if place in s.fields) for place in in_order}


#: What to do about another value than the ledger's, where leaving it out would be rash.
_CURES = {"host": "set it to that if you know that it is your Kiosk"}
_ABSENT = object()


def texts(planned: Mapping[str, Any]) -> dict[str, str]:
    """Settings, as people write them, that make the options in ``planned`` again.

    Those of a trace are without their times, those of a run against the embedded Kiosk
    without a host.
    """
    written = {}
    for setting in SETTINGS.values():
        values = [_value(planned, place, _ABSENT) for place in setting.fields]
        is_kept = setting.resume not in (Resume.ANEW, Resume.PROCESS)
        if is_kept and setting.write and values and _ABSENT not in values:
            written[setting.name] = setting.write(*values)
    return written


def layer(planned: Mapping[str, Any], place: str, **more: str) -> Layer:
    """The settings of a ledger; ``place`` is what messages call it."""
    given = texts(planned) | more
    return Layer(
        place,
        # A damaged ledger may have anything there; as a text, it is a mistake with a name.
        {name: Given(str(text), SETTINGS[name].env or name, place) for name, text in given.items()},
        is_ledgers=True,
    )


def contradictions(
    planned: Mapping[str, Any],
    resolved: Mapping[str, Any],
    given: Layers,
    base_url: str,
    place: str,
) -> Iterator[Mistake]:
    """A mistake for each setting in ``given`` that makes another plan than the ledger's.

    ``planned`` and ``resolved`` are options as JSON has them, ``base_url`` is where the Kiosk
    really was.
    """
    told: set[tuple[str, str]] = set()
    for field, names in plan().items():
        before, now = _value(planned, field), _value(resolved, field)
        if field in NOT_READ_AGAIN:
            now = _given_arrivals(field, given, before)
        culprit = _first(given, names)
        if culprit is None or _same(field, before, now, base_url):
            continue
        if field == "file" and (resolved.get("transfers") or {}).get("upload"):
            continue  # the same files may be elsewhere here: they are looked at
        if (culprit.source, culprit.text) not in told:
            told.add((culprit.source, culprit.text))
            yield Mistake(
                culprit.source,
                culprit.text,
                f"{place} has {_shown(field, before)}, and that cannot change while a run is "
                f"resumed: {_CURES.get(field, 'leave it out')}, or start a new run",
            )


def strange_target(host: str, file: str, given: Layers, place: str) -> Iterator[Mistake]:
    """A mistake where the ledger alone says which files go out, and to which ``host``, the Kiosk.

    Whoever made it would be sent files of the working folder. ``given`` are the settings of whoever
    resumes the run; on a loopback address nothing leaves this machine.
    """
    if any(given.get(name) for name in ("file", "host", "api_host")):
        return
    if host and not is_loopback(urlsplit(host).hostname or ""):
        yield Mistake(
            f"API_HOST and FILE in {place}",
            f"{masked(host)} and {file}",
            "are named by it alone, and it may be of another's making: its files would be uploaded"
            " to its host; if both are right, give API_HOST (--host) or FILE (--file) again",
        )


def strange_paths(lowest: Layer, given: Layers, beside: Path) -> Iterator[Mistake]:
    """A mistake for each file or folder of this machine that a ledger alone names, elsewhere.

    ``lowest`` are the ledger's settings, ``given`` those of whoever resumes the run. A ledger may
    be of another's making; so its paths count in the working folder, and in the ledger's own,
    ``beside``. FILE is looked at by `kiosk_locust.config.transfers`; a bucket never counts.
    """
    for name in ("prices", "junit_xml"):
        theirs = lowest.get(name)
        if theirs is None or given.get(name) is not None:
            continue
        path = _local_path(theirs.text)
        if path is not None and not is_near(path, beside):
            setting = SETTINGS[name]
            yield Mistake(
                theirs.source,
                theirs.text,
                "is neither in the working folder nor beside the ledger, and nobody else names it:"
                f" set {setting.env or setting.flag} to it if that is meant, or to another",
            )


def _local_path(text: str) -> Path | None:
    """The path on this machine that a setting names; None where it names none."""
    try:
        return parsers.path(text)
    except ValueError:
        return None  # a mistake, which others tell


def _value(options: Mapping[str, Any], place: str, absent: Any = None) -> Any:
    """The value of a field, such as ``cost.tail_s``."""
    group, _, rest = place.partition(".")
    if group not in options:
        return absent
    return _value(options[group] or {}, rest, absent) if rest else options[group]


def _given_arrivals(field: str, given: Layers, before: Any) -> Any:
    """What was given of the arrivals, as the options have it; ``before`` where nothing was."""
    text = given.text(field)
    if field == "arrival":
        return text.lower() or ("ramp" if given.get("ramp") else before)
    if field == "ramp" and text:
        try:
            return dataclasses.asdict(SETTINGS["ramp"].parse(text))
        except ValueError:
            return text
    return text or before


def _first(given: Layers, names: tuple[str, ...]) -> Given | None:
    """What counts of several settings: the highest layer's, and in it the first's."""
    for found in given.layers:
        for name in names:
            culprit = found.get(name)
            if culprit is not None and (name, culprit.text.strip()) != ("all_at_once", "false"):
                return culprit
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
    """What of an address counts: http://a and http://a:80/ are the same Kiosk."""
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
