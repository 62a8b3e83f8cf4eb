"""Terminal output that shows every text letter by letter.

rich takes ``[/path]`` in a string for markup and ``:on:`` for an emoji, in cells of tables and in
status lines, too. What a screen shows comes from outside (error texts, paths, job types), so the
package makes its consoles and tables here, and a test looks for others.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from kiosk_locust.formatting.excerpt import printable


def plain_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Console that takes nothing in a string for markup, an emoji or something to colour."""
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


class PlainTable(Table):
    """Table whose cells are shown letter by letter on any console, fit for ``encoding``."""

    def __init__(self, *headers: str, encoding: str = "utf-8", **options: Any) -> None:
        super().__init__(*headers, **options)
        self._encoding = encoding

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; strings become texts, with control characters as escapes."""
        shown = (Text(printable(c, self._encoding)) if isinstance(c, str) else c for c in cells)
        super().add_row(*shown, **options)


def plain_grid(encoding: str = "utf-8", **options: Any) -> PlainTable:
    """Table without lines and headers, as `Table.grid`."""
    without = dict.fromkeys(("show_header", "show_footer", "show_edge", "pad_edge"), False)
    return PlainTable(encoding=encoding, box=None, collapse_padding=True, **without, **options)


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line, letter by letter and never folded: it can be copied and searched for."""
    console.print(Text(printable(text, console.encoding), style), soft_wrap=True)
