"""Page templates, style and scripts, and plotly's script if it is installed."""

from __future__ import annotations

import functools
import importlib.util
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader

#: The page's own files, scripts in the order of loading.
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
    autoescape=True,  # for every template name
    trim_blocks=True,
    lstrip_blocks=True,
)


@functools.cache
def text(name: str) -> str:
    """Content of a static file of the package."""
    return resources.files("kiosk_locust.reporting.web").joinpath("static", name).read_text("utf-8")


@functools.cache
def plotly() -> Path | None:
    """Path of the script in the installed plotly package; None if it is not installed."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return path if path.is_file() else None
