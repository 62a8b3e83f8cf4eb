"""What mkdocs asks while it builds the site: the pages that are kept outside of docs/.

README and its like stand in the project's folder, where GitHub shows them. The site has them as
pages below ``project/``, and links between them and docs/ lead to the same place in both views.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
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


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for path, page in PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=moved(text, path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  mkdocs gives them all
    """Let a page of docs/ lead to the pages outside of it."""
    if page.file.src_uri in PAGES.values():
        return markdown
    return moved(markdown, f"docs/{page.file.src_uri}")


def moved(text: str, path: str) -> str:
    """Markdown that stands at ``path`` of the project, with links as the site needs them."""

    def led(found: re.Match[str]) -> str:
        return found[1] + _link(found[2], path)

    return _OF_IMAGE.sub(led, _LINK.sub(led, text))


def _link(target: str, path: str) -> str:
    """Where ``target``, a link within the file at ``path``, leads to in the site."""
    aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    here, there = (PAGES.get(each, each.removeprefix("docs/")) for each in (path, aim))
    return posixpath.relpath(there, posixpath.dirname(here) or ".")
