"""Writes docs/reference/licences.md: what each package that a run needs says of its licence.

    .venv/bin/python scripts/licences.py

It takes the pins of requirements.txt and the metadata of the packages installed beside this
interpreter; those that are for other systems are left out, even if something else installed them.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements.txt"
DOCUMENT = ROOT / "docs" / "reference" / "licences.md"
HEAD = """\
# Licences

kiosk_locust is under Apache-2.0 (`LICENSE`). What a run installs, as pinned in `requirements.txt`,
with the licence that each package states of itself; `scripts/licences.py` writes this page, and a
test compares it. None is part of our wheel. A report holds the script of plotly (MIT), with its
notice. MPL-2.0 asks for the source of changed files of those packages; we change none.

| package | version | licence |
|---|---|---|
"""


def pins() -> dict[str, str]:
    """The version of each package that is pinned for a system like this one."""
    pinned = r"^([\w.-]+)==([^\s;\\]+)(?: ; (.*?))? \\$"
    found = re.findall(pinned, PINS.read_text("utf-8"), re.MULTILINE)
    return {name: version for name, version, on in found if not on or Marker(on).evaluate()}


def licence_of(package: str) -> str:
    """What an installed package states, in the fullest form that it has; empty if nothing.

    Raises PackageNotFoundError.
    """
    told = metadata(package).json
    if expression := told.get("license_expression"):
        return str(expression)
    text = str(told.get("license") or "").strip()
    if text and "\n" not in text:
        return text
    classes = [each.split(" :: ") for each in told.get("classifier", ())]
    return ", ".join(words[-1] for words in classes if words[0] == "License")


def page() -> str:
    """The whole page."""
    rows = []
    for package, version in pins().items():
        try:
            rows.append(f"| {package} | {version} | {licence_of(package)} |\n")
        except PackageNotFoundError:
            continue
    return HEAD + "".join(rows)


if __name__ == "__main__":
    DOCUMENT.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"written: {DOCUMENT}\n")
