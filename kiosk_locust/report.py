"""The report of a run: its page, frozen into one file that needs no network.

``python -m kiosk_locust report PATH`` builds it again, from a ledger or a results file.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.errors import KioskLocustError
from kiosk_locust.web import assets, imported, past
from kiosk_locust.web.picture import Picture

USAGE = "usage: python -m kiosk_locust report LEDGER_OR_RESULTS [FILE.html]\n"


@dataclass(frozen=True, slots=True)
class _Inline:
    """What a page has in itself."""

    style: str
    data: str
    scripts: tuple[str, ...]


def render(picture: Picture) -> str:
    """The page of ``picture`` as one HTML text; without plotly it has no charts."""
    plotly = assets.plotly()
    scripts = [assets.text(name) for name in assets.SCRIPTS]
    if plotly is not None:
        scripts.insert(0, plotly.read_text("utf-8"))
    scripts = [_within_script(script) for script in scripts]
    return assets.templates.get_template("page.html").render(
        root="",
        data="",
        title=picture.run_name,
        is_live=False,
        has_plotly=plotly is not None,
        no_plotly=assets.NO_PLOTLY,
        csp=_csp(scripts),
        inline=_Inline(assets.text(assets.STYLE), _within_data(picture.as_json()), tuple(scripts)),
    )


def write(picture: Picture, path: Path) -> Path:
    """Write the report to ``path``, whole or not at all; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(render(picture), "utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _csp(scripts: Iterable[str]) -> str:
    """Only these scripts run, and nothing is asked of any network."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _within_script(text: str) -> str:
    """A script as it may stand in a page: what would end it early is written another way."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _within_data(text: str) -> str:
    """JSON as it may stand in a page: no markup, whatever its strings hold."""
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def main(arguments: list[str]) -> int:
    """Write the report of a run that is over; returns the exit code."""
    if len(arguments) not in (1, 2):
        sys.stderr.write(USAGE)
        return 2
    given = Path(arguments[0])
    try:
        with imported.as_ledger(given) as ledger:
            picture = past.read(ledger)
        default = given.with_name(f"{picture.run_name or given.stem}.html")
        path = write(picture, Path(arguments[1]) if len(arguments) == 2 else default)
    except (KioskLocustError, OSError) as error:
        sys.stderr.write(f"the report of {given} was not written: {error}\n")
        return 2
    sys.stdout.write(f"written: {path}\n")
    return 0
