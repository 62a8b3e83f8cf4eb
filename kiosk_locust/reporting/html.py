"""HTML report of a run: its page as one self-contained file.

``python -m kiosk_locust report PATH`` rebuilds it from a ledger or a results file.
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
from kiosk_locust.storage.atomic_files import atomic_file

USAGE = "usage: python -m kiosk_locust report LEDGER_OR_RESULTS [FILE.html]\n"


@dataclass(frozen=True, slots=True)
class _Inline:
    """Parts that are embedded in the page."""

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
    """Write the report to ``path`` atomically.

    It can be rebuilt from the ledger at any time, so it leaves a disk space reserve.

    Raises:
        OSError: The file cannot be written, or would use up the reserve.

    """
    data = render(picture).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    disk_space.require(path.parent, disk_space.REPORT, len(data))
    with atomic_file(path) as file:
        file.write(data)
    return path


def _csp(scripts: Iterable[str]) -> str:
    """Content security policy that allows only these scripts, and no network access."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _within_script(text: str) -> str:
    """A script escaped for a page: sequences that would end it early are rewritten."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    return unified.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def _within_data(text: str) -> str:
    """JSON escaped for a page: it contains no markup."""
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _name(picture: Picture, source: Path) -> str:
    """The run's name if it is a plain file name; else the source file's stem."""
    name = picture.run_name
    return name if name and Path(name).name == name else source.stem


def main(arguments: list[str]) -> int:
    """Write the report of a finished run; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk_locust report",
        description="Write the report of a run again, from its ledger or its results file.",
    )
    parser.add_argument("path", type=Path, help="<run>.db, or a results file (.json)")
    parser.add_argument(
        "file", type=Path, nargs="?", help="the report; without it <run>.html beside PATH"
    )
    options = parser.parse_args(arguments)
    source: Path = options.path
    try:
        with imported.as_ledger(source) as ledger:
            picture = from_ledger.read(ledger)
        path = write(picture, options.file or source.with_name(f"{_name(picture, source)}.html"))
    except (KioskLocustError, OSError) as error:
        sys.stderr.write(f"the report of {source} was not written: {error}\n")
        return 2
    sys.stdout.write(f"written: {path}\n")
    return 0
