"""What pages are made of: their template, style and scripts, and plotly's script if it is there."""

from __future__ import annotations

import functools
import importlib.util
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader

#: The page's own, in the order in which a page loads them.
STYLE = "page.css"
SCRIPTS = ("text.js", "tables.js", "charts.js", "cost.js", "page.js")
#: plotly writes style elements and attributes, and makes images from blobs.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
NO_PLOTLY = (
    "The charts need plotly, which this Python lacks: pip install 'kiosk-locust[report]'. "
    "Everything else is here."
)

templates = Environment(
    loader=PackageLoader("kiosk_locust.reporting.web"),
    autoescape=True,  # whatever the name of a template ends in
    trim_blocks=True,
    lstrip_blocks=True,
)


@functools.cache
def text(name: str) -> str:
    """One of the package's static files."""
    return resources.files("kiosk_locust.reporting.web").joinpath("static", name).read_text("utf-8")


@functools.cache
def plotly() -> Path | None:
    """Where the installed plotly package keeps its script; None where it is not installed."""
    found = importlib.util.find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return path if path.is_file() else None
