"""Terminal output that shows every text literally.

rich interprets ``[/path]`` in a string as markup and ``:on:`` as an emoji, also in table cells and
status lines. Screens show text from outside (errors, paths, job types), so all consoles and tables
of the package are made here, and a test looks for others.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from kiosk_locust.formatting.excerpt import printable


def plain_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Console that interprets no markup, emoji or highlighting in strings."""
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


class PlainTable(Table):
    """Table that shows cell texts literally, limited to the characters of ``encoding``."""

    def __init__(self, *headers: str, encoding: str = "utf-8", **options: Any) -> None:
        super().__init__(*headers, **options)
        self._encoding = encoding

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row; in strings, control characters become escapes."""
        shown = (Text(printable(c, self._encoding)) if isinstance(c, str) else c for c in cells)
        super().add_row(*shown, **options)


def plain_grid(encoding: str = "utf-8", **options: Any) -> PlainTable:
    """Table without lines and headers, like `Table.grid`."""
    hidden_parts = dict.fromkeys(("show_header", "show_footer", "show_edge", "pad_edge"), False)
    return PlainTable(encoding=encoding, box=None, collapse_padding=True, **hidden_parts, **options)


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line, literally and never wrapped, so that it can be copied and searched for."""
    console.print(Text(printable(text, console.encoding), style), soft_wrap=True)
