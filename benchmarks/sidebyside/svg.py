"""Two kinds of plots as SVG text: bars, and lines over logarithmic axes.

Colours hold on white and on dark grounds, since pages are read on both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP = 640, 130, 90, 50
ROW, BAR = 34, 22
PLOT_HEIGHT = 260
INK, FAINT, STRONG = "#808080", "#80808050", "#0b84a5"
COLOURS = (STRONG, "#ca472f", "#9b59b6", "#6f9a37")

Points = Sequence[tuple[float, float]]


def bars(title: str, unit: str, values: Mapping[str, float], strong: str = "") -> str:
    """A bar for each value, with its figure; ``strong`` names the one that stands out."""
    room, most = WIDTH - LEFT - RIGHT, max(values.values())
    parts = [_text(LEFT, 34, unit, size=12)]
    for row, (name, value) in enumerate(values.items()):
        y, length = TOP + row * ROW, max(1.0, room * value / most)
        colour = STRONG if name == strong else INK
        parts += [
            _text(LEFT - 8, y + 16, name, anchor="end"),
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            _text(LEFT + length + 6, y + 16, f"{value:.3g}"),
        ]
    return _page(title, TOP + len(values) * ROW + 10, parts)


def lines(title: str, x_unit: str, y_unit: str, series: Mapping[str, Points]) -> str:
    """A line for each series; both axes are logarithmic."""
    every = [point for points in series.values() for point in points]
    (x_low, x_high), (y_low, y_high) = (
        _decades([point[axis] for point in every]) for axis in (0, 1)
    )
    room, bottom = WIDTH - LEFT - RIGHT, TOP + PLOT_HEIGHT

    def x_of(value: float) -> float:
        return LEFT + room * (math.log10(value) - x_low) / (x_high - x_low)

    def y_of(value: float) -> float:
        return bottom - PLOT_HEIGHT * (math.log10(value) - y_low) / (y_high - y_low)

    parts = [
        _text(LEFT, 40, y_unit, size=12),
        _text(LEFT + room, bottom + 36, x_unit, "end", size=12),
    ]
    for power in range(x_low, x_high + 1):
        x = x_of(10**power)
        parts += [_line(x, TOP, x, bottom), _text(x, bottom + 18, f"{10**power:g}", "middle")]
    for power in range(y_low, y_high + 1):
        y = y_of(10**power)
        parts += [_line(LEFT, y, LEFT + room, y), _text(LEFT - 8, y + 4, f"{10**power:g}", "end")]
    for colour, (name, points) in zip(COLOURS, series.items(), strict=False):
        places = [(x_of(x), y_of(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        last_x, last_y = places[-1]
        parts.append(_text(last_x + 8, last_y + 4, name, colour=colour))
    return _page(title, bottom + 46, parts)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around some values above 0, at least one apart."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def _text(
    x: float, y: float, text: str, anchor: str = "start", *, size: int = 13, colour: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' fill="{colour}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{FAINT}"/>'


def _page(title: str, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' width="{WIDTH}" height="{height:.0f}" font-family="sans-serif" role="img">'
    )
    named = [f"<title>{escape(title)}</title>", _text(LEFT, 18, title, size=15)]
    return "\n".join([head, *named, *parts, "</svg>", ""])
