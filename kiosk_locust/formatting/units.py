"""Human-readable numbers with units; plain ASCII."""

from __future__ import annotations

import math


def seconds(value: float | None) -> str:
    """Duration in a suitable unit.

    ``4.5 ms``, ``12.3 s``, ``5.0 min``, ``2.08 h``; ``-`` for None.
    """
    if value is None:
        return "-"
    if value < 0:
        return f"-{seconds(-value)}"
    if value < 0.9995:
        return f"{value * 1000:.3g} ms"
    if value < 119.95:
        return f"{value:.1f} s" if value >= 9.995 else f"{value:.2f} s"
    if value < 119.95 * 60:
        return f"{value / 60:.1f} min"
    hours = value / 3600
    return f"{hours:.2f} h" if hours < 99.995 else f"{hours:,.0f} h"


def about(value: float) -> str:
    """Estimated duration (s): ``about 45 s``, in whole seconds or coarser."""
    rounded_s = max(1, round(value))
    return f"about {rounded_s} s" if rounded_s < 120 else f"about {seconds(rounded_s)}"


def rate(value: float | None, noun: str) -> str:
    """``12.3 jobs/s``, or per minute or hour for rates below 1 per second."""
    if value is None:
        return "-"
    number, unit = value, "s"
    if 0 < value < 0.995:
        number, unit = (value * 60, "min") if value * 60 >= 0.995 else (value * 3600, "h")
    shown = f"{number:,.0f}" if number >= 999.5 else f"{number:.3g}"
    return f"{shown} {noun}/{unit}"


def count(number: int, noun: str) -> str:
    """``1 job``, ``2,000 jobs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def usd(value: float | None) -> str:
    """``$12.34``, ``$1,234``, ``$0.0123``, ``$0.0000547``; ``-`` for None."""
    if value is None:
        return "-"
    if abs(value) >= 999.5:
        return f"${value:,.0f}"
    if abs(value) >= 0.995 or not value:
        return f"${value:.2f}"
    return f"${value:.{2 - math.floor(math.log10(abs(value)))}f}"
