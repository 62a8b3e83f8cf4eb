"""Durations from text: the one grammar for every setting, file and threshold that has one.

::

    duration = number | term {term}
    term     = number unit
    unit     = "us" | "µs" | "ms" | "s" | "sec" | "m" | "min" | "h" | "d"

``500ms``, ``1s``, ``2m``, ``2min``, ``1.5h``, ``1h30m``. Units go from long to short, each at most
once; only the last number may have a fraction. Case and spaces between the parts are free. ``1m``
is a minute. A number alone counts in the unit of whatever is set by it.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

#: Seconds in each unit, by every name that it may be written with.
UNITS_S: dict[str, float] = {
    **dict.fromkeys(("us", "\u00b5s", "\u03bcs"), 1e-6),  # micro sign and Greek mu
    "ms": 1e-3,
    **dict.fromkeys(("s", "sec"), 1.0),
    **dict.fromkeys(("m", "min"), 60.0),
    "h": 3600.0,
    "d": 86_400.0,
}
#: How durations are written, for messages.
FORMS = "500ms, 90s, 2m or 2min, 1.5h, 1h30m"

_TERM = re.compile(r"\s*((?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*([^\W\d_]+)", re.IGNORECASE)
_SECONDS = {name: Decimal(str(value)) for name, value in UNITS_S.items()}


def duration(text: str, *, bare: bool = True) -> float:
    """The seconds of a duration, finite and at least 0.

    ``bare``: a number alone, in seconds, is one as well. Raises ValueError, which names forms that
    are right, for any other text.
    """
    if bare:
        try:
            return _checked(float(text))
        except ValueError:
            pass  # it may have a unit
    seconds, _ = duration_and_unit(text)
    return seconds


def duration_and_unit(text: str) -> tuple[float, str]:
    """The seconds of a duration that has units, and the last of these in lower case.

    Raises ValueError as `duration` does.
    """
    total, before, end = Decimal(0), math.inf, 0
    text = text.strip()
    unit = ""
    while end < len(text):
        term = _TERM.match(text, end)
        unit = term[2].lower() if term else ""
        is_last = term is not None and term.end() == len(text)
        if term is None or UNITS_S.get(unit, before) >= before:
            raise _refusal()
        if not is_last and not term[1].isdecimal():
            raise _refusal()
        try:
            total += Decimal(term[1]) * _SECONDS[unit]
        except ArithmeticError:  # two underscores in a row, or an exponent beyond all bounds
            raise _refusal() from None
        before, end = UNITS_S[unit], term.end()
    if not unit:
        raise _refusal()
    return _checked(float(total)), unit


def _checked(seconds: float) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise _refusal()
    return seconds + 0.0  # -0.0 becomes 0.0


def _refusal() -> ValueError:
    return ValueError(f"must be a time of at least 0, such as {FORMS}")
