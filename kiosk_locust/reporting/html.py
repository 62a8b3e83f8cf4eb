"""The report of a run: its page, frozen into one file that needs no network.

``python -m kiosk_locust report PATH`` builds it again, from a ledger or a results file.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.errors import KioskLocustError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.reporting.web import assets, from_ledger, imported
from kiosk_locust.reporting.web.view_model import Picture
from kiosk_locust.storage.atomic_files import whole_file

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
    """Write the report to ``path``, whole or not at all; raises OSError.

    It can be made again of the ledger at any time, so it leaves some room to others.
    """
    data = render(picture).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    disk_space.require(path.parent, disk_space.REPORT, len(data))
    with whole_file(path) as file:
        file.write(data)
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


def _name(picture: Picture, given: Path) -> str:
    """The run's name where it is one of a file, whoever made the ledger; else the file's own."""
    name = picture.run_name
    return name if name and Path(name).name == name else given.stem


def main(arguments: list[str]) -> int:
    """Write the report of a run that is over; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk_locust report",
        description="Write the report of a run again, from its ledger or its results file.",
    )
    parser.add_argument("path", type=Path, help="<run>.db, or a results file (.json)")
    parser.add_argument(
        "file", type=Path, nargs="?", help="the report; without it <run>.html beside PATH"
    )
    asked = parser.parse_args(arguments)
    given: Path = asked.path
    try:
        with imported.as_ledger(given) as ledger:
            picture = from_ledger.read(ledger)
        path = write(picture, asked.file or given.with_name(f"{_name(picture, given)}.html"))
    except (KioskLocustError, OSError) as error:
        sys.stderr.write(f"the report of {given} was not written: {error}\n")
        return 2
    sys.stdout.write(f"written: {path}\n")
    return 0
