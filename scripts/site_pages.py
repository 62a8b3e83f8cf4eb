"""Stage the pages of the site in a folder: ``site_pages.py [FOLDER]``, build/pages by default.

Zensical builds one folder and runs no hooks. README and its like are in the project's folder, where
GitHub shows them, so they are copied below ``project/``, and links between them and docs/ lead to
the same place in both views. Mermaid diagrams become SVG files, so that a reader's browser fetches
no script to draw them.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shutil
import sys
from pathlib import Path

import mmdr

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "pages"
#: By its path in the project: the path of the page in the site.
PAGES = {
    "README.md": "project/readme.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmarks.md",
}
_LINK = re.compile(r"(\]\()(?!\w+:)([^)#\s]+)")
_OF_IMAGE = re.compile(r'(<img[^>]* src=")(?!\w+:)([^"]+)')
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)


def stage(folder: Path, root: Path = ROOT) -> None:
    """Make ``folder`` anew with every page and file of the site of the project at ``root``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "docs", folder)
    for page in folder.rglob("*.md"):
        name = page.relative_to(folder).as_posix()
        page.write_text(drawn(moved(page.read_text("utf-8"), f"docs/{name}"), page), "utf-8")
    for path, name in PAGES.items():
        page = folder / name
        page.parent.mkdir(exist_ok=True)
        page.write_text(moved((root / path).read_text("utf-8"), path), "utf-8")


def drawn(text: str, page: Path) -> str:
    """Markdown with each Mermaid diagram drawn into an SVG file beside ``page``."""

    def picture(found: re.Match[str]) -> str:
        name = f"{page.stem}-{hashlib.sha256(found[1].encode()).hexdigest()[:8]}.svg"
        page.with_name(name).write_text(mmdr.render(found[1]).svg(), "utf-8")
        kind = found[1].split(maxsplit=1)[0]
        return f"![{kind}]({name}){{: .diagram }}"

    return _DIAGRAM.sub(picture, text)


def moved(text: str, path: str) -> str:
    """Markdown that is at ``path`` of the project, with links as the site needs them."""

    def link(found: re.Match[str]) -> str:
        return found[1] + _target(found[2], path)

    return _OF_IMAGE.sub(link, _LINK.sub(link, text))


def _target(link: str, path: str) -> str:
    """The place in the site that ``link``, within the file at ``path``, leads to."""
    aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    here, there = (PAGES.get(name, name.removeprefix("docs/")) for name in (path, aim))
    return posixpath.relpath(there, posixpath.dirname(here) or ".")


if __name__ == "__main__":
    stage(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
