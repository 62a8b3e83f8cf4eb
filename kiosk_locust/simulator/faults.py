"""Injected faults: rules for affected requests, effect, frequency and time.

A rule is written as ``METHOD PATH key=value …``, for example ``POST /api/predict status=500
rate=0.1 from=5 to=20``.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.parsing import FORMS, duration
from kiosk_locust.simulator.rng import Purpose, stream

Kind = Literal["status", "redirect", "html", "malformed", "huge", "hang", "drop", "redis"]
KINDS: tuple[Kind, ...] = (
    "status", "redirect", "html", "malformed", "huge", "hang", "drop", "redis",
)  # fmt: skip
#: Commands that Redis refuses; AWAY: it is down, and the frontend gives up after this time.
COMMANDS = ("hmset", "lpush", "hmget", "expire")
AWAY, AWAY_S = "away", 10.55
BARE = {"html", "malformed", "hang", "drop"}


@dataclass(frozen=True, slots=True)
class FaultRule:
    """Effect on matching requests; times in seconds since the simulator's start.

    ``kind`` None only delays. ``when`` tells if the request is carried out before the fault.
    """

    text: str
    method: str  # "*": any
    path: str  # a pattern with * and ?, as for file names
    kind: Kind | None = None
    status: int | None = None
    body: str | None = None
    content_type: str | None = None
    retry_after: str | None = None
    location: str = ""
    size: int = 0  # bytes of a huge body
    command: str = ""  # the refused command, or AWAY
    latency_s: float = 0.0
    when: Literal["before", "after"] = "before"
    rate: float = 1.0
    from_s: float = 0.0
    to_s: float = math.inf
    max_count: float = math.inf

    def matches(self, method: str, path: str, age_s: float) -> bool:
        """Tell if the rule applies to a request at ``age_s``."""
        return (
            self.method in ("*", method)
            and self.from_s <= age_s < self.to_s
            and fnmatchcase(path, self.path)
        )


def _number(low: float, high: float, advice: str) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise ValueError(advice)
        return number

    return read


def _integer(low: int, high: int, advice: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdecimal() or not low <= int(value) <= high:
            raise ValueError(advice)
        return int(value)

    return read


def _command(value: str) -> str:
    if value not in (*COMMANDS, AWAY):
        raise ValueError(f"give one of {', '.join((*COMMANDS, AWAY))}")
    return value


def _when(value: str) -> str:
    if value not in ("before", "after"):
        raise ValueError("give before or after (the request is carried out)")
    return value


def _seconds(value: str) -> float:
    try:
        return _number(0, 1e9, "")(str(duration(value)))
    except ValueError:
        raise ValueError(
            f"give a number of seconds of at least 0, or a time such as {FORMS}"
        ) from None


#: key in a rule → field of FaultRule, and parser of its value (raises ValueError with advice)
_KEYS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "status": ("status", _integer(200, 599, "give an HTTP status from 200 to 599")),
    "redirect": ("location", str),
    "html": ("kind", lambda _: "html"),
    "malformed": ("kind", lambda _: "malformed"),
    "huge": ("size", _integer(1, 2**32, "give a number of bytes of at least 1")),
    "hang": ("kind", lambda _: "hang"),
    "drop": ("kind", lambda _: "drop"),
    "redis": ("command", _command),
    "body": ("body", str),
    "content-type": ("content_type", str),
    "retry-after": ("retry_after", str),
    "latency": ("latency_s", _seconds),
    "when": ("when", _when),
    "rate": ("rate", _number(0, 1, "give a share from 0 to 1")),
    "from": ("from_s", _seconds),
    "to": ("to_s", _seconds),
    "count": ("max_count", _integer(1, 2**31, "give a whole number of at least 1")),
}
_METHODS = ("*", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")


def parse_fault(text: str, source: str = "--fault") -> FaultRule:
    """Parse one rule.

    Raises:
        OptionsError: The rule is invalid; the message names ``source`` and the wrong part.

    """
    try:
        method, path, *parts = shlex.split(text)
    except ValueError:
        raise _mistake(source, text, "write it as 'METHOD PATH key=value …'") from None
    if method.upper() not in _METHODS:
        raise _mistake(source, text, f"the method is one of {', '.join(_METHODS)}")
    if not path.startswith(("/", "*")):
        raise _mistake(source, text, "the path begins with / or is *")
    values = dict(_read_part(source, text, part) for part in parts)
    kind = _kind(source, text, values)
    fields = {_KEYS[key][0]: value for key, value in values.items()}
    fields["kind"] = kind
    if fields.get("command") == AWAY:
        fields.setdefault("latency_s", AWAY_S)
    return FaultRule(text, method.upper(), path, **fields)  # type: ignore[arg-type]  # by _KEYS


def rule_text(rule: object) -> str:
    """Text of a rule given as JSON, a text or an object with the same keys."""
    if isinstance(rule, str):
        return rule
    if not isinstance(rule, dict):
        raise _mistake("faults", str(rule), "give each rule as a text or an object")
    keys = dict(rule)
    words = [str(keys.pop("method", "*")), str(keys.pop("path", "*"))]
    for key, value in keys.items():
        words.append(str(key) if value is True else f"{key}={value}")
    return shlex.join(words)


def _read_part(source: str, text: str, part: str) -> tuple[str, object]:
    key, equals, value = part.partition("=")
    if key not in _KEYS:
        keys = ", ".join(_KEYS)
        raise _mistake(source, text, f"{key!r} is no key of a fault rule; known are {keys}")
    if bool(equals) is (key in BARE):
        form = key if key in BARE else f"{key}=…"
        raise _mistake(source, text, f"write {form}")
    try:
        return key, _KEYS[key][1](value)
    except ValueError as error:
        raise _mistake(source, text, f"{key}: {error}") from None


def _kind(source: str, text: str, values: Mapping[str, object]) -> Kind | None:
    named: list[Kind] = [kind for kind in KINDS if kind in values]
    if len(named) > 1 and "status" in named:
        named.remove("status")  # it is then that response's status
    if len(named) > 1:
        raise _mistake(source, text, f"{' and '.join(named)} exclude each other")
    if not named and "latency" not in values:
        raise _mistake(source, text, f"say what happens: one of {', '.join(KINDS)}, or latency=…")
    return named[0] if named else None


def _mistake(source: str, text: str, advice: str) -> OptionsError:
    return OptionsError([Mistake(source, text, advice)])


@dataclass(frozen=True, slots=True)
class SimulatedFault:
    """Fault of one request: a delay, and the rule that replaces the response."""

    latency_s: float
    rule: FaultRule | None


class FaultPlan:
    """Active rules in order; each has its own seeded draws and counts its hits."""

    def __init__(self, rules: list[FaultRule], seed: int) -> None:
        self._seed = seed
        self.replace(rules)

    def replace(self, rules: list[FaultRule]) -> None:
        """Activate other rules; counts and draws start anew."""
        self.rules = rules
        self.hits = [0] * len(rules)
        self._draws = [stream(self._seed, Purpose.FAULT, index) for index in range(len(rules))]

    def choose(self, method: str, path: str, age_s: float) -> SimulatedFault | None:
        """Fault of one request: delays add up until a rule replaces the response."""
        latency_s, hit = 0.0, False
        for index, rule in enumerate(self.rules):
            if not self._applies(index, rule, method, path, age_s):
                continue
            hit = True
            self.hits[index] += 1
            latency_s += rule.latency_s
            if rule.kind:
                return SimulatedFault(latency_s, rule)
        return SimulatedFault(latency_s, None) if hit else None

    def _applies(self, index: int, rule: FaultRule, method: str, path: str, age_s: float) -> bool:
        return (
            rule.matches(method, path, age_s)
            and self.hits[index] < rule.max_count
            and self._draws[index].random() < rule.rate
        )
