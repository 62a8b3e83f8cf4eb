"""The site is built without a warning, asks no network for anything, and leads to no dead end."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kiosk_locust
from tests.docs.blocks import PAGES, blocks
from tests.helpers.real import ROOT

PROGRAM = runpy.run_path(str(ROOT / "scripts" / "site_pages.py"))


def build(project: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of what is staged in a folder's ``build/pages``."""
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=project,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", project)
    PROGRAM["stage"](project / "build" / "pages")
    built = build(project)
    assert built.returncode == 0, built.stdout + built.stderr
    assert "No issues found" in built.stderr
    return project / "build" / "site"


def test_every_page_of_the_project_is_a_page_of_the_site(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")]
    assert len(pages) > 25
    for page in [*pages, *map(Path, ("project/readme.md", "project/changelog.md"))]:
        assert (site / page.with_suffix(".html")).is_file()
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    listed = [page for page in map(str, pages) if not page.startswith("decisions/0")]
    assert [page for page in listed if f": {page}\n" not in nav] == []


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    asks = re.compile(
        r"<(?:script|img|iframe|source)[^>]* src=\"?(?:https?:)?//"
        r"|<link(?![^>]*rel=\"?canonical)[^>]* href=\"?(?:https?:)?//"
        r"|@import|url\([\"']?(?:https?:)?//"
    )
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 30
    assert [path.name for path in files if asks.search(path.read_text("utf-8"))] == []


def test_every_link_and_picture_of_the_site_leads_to_a_file(site: Path) -> None:
    dead, seen = [], 0
    for page in site.rglob("*.html"):
        if page.name == "404.html":
            continue  # its links begin at the root of a server
        for target in re.findall(r"(?:href|src)=\"?([^\"\s>#]+)", page.read_text("utf-8")):
            if re.match(r"\w+:", target):
                continue
            seen += 1
            if not (page.parent / target).exists():
                dead.append(f"{page.relative_to(site)}: {target}")
    assert seen > 500
    assert dead == []


def test_every_link_between_pages_leads_to_a_file_in_the_project_too() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_readme_leads_to_the_same_pages_in_the_site(site: Path) -> None:
    readme = (site / "project" / "readme.html").read_text("utf-8")
    assert 'href="../reference/options.html"' in readme
    assert 'src="../images/page.png"' in readme
    assert 'href="contributing.html"' in readme
    assert "project/readme.html" in (site / "index.html").read_text("utf-8")


@pytest.mark.parametrize("wrong", ["[x](nowhere.md)", "[x](other.md#nowhere)"])
def test_a_link_to_nowhere_is_an_error(tmp_path: Path, wrong: str) -> None:
    settings = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(settings, "utf-8")
    pages = tmp_path / "build" / "pages"
    (pages / "stylesheets").mkdir(parents=True)
    (pages / "stylesheets" / "site.css").touch()
    (pages / "other.md").write_text("# Other\n", "utf-8")
    (pages / "index.md").write_text("# Page\n\n[x](other.md#other)\n", "utf-8")
    assert build(tmp_path).returncode == 0
    (pages / "index.md").write_text(f"# Page\n\n{wrong}\n", "utf-8")
    built = build(tmp_path)
    assert built.returncode != 0
    assert "does not exist" in built.stdout + built.stderr


def test_the_public_names_are_rendered_from_their_docstrings(site: Path) -> None:
    page = (site / "reference" / "api.html").read_text("utf-8")
    names = [name for name in kiosk_locust.__all__ if name != "__version__"]
    assert len(names) > 5
    assert [name for name in names if f'id="kiosk_locust.{name}"' not in page] == []
    assert (
        "Add the plugin&#39;s options and listeners to Locust" in page or "Add the plugin" in page
    )


def test_the_search_finds_words_of_every_part(site: Path) -> None:
    found = json.loads((site / "search.json").read_text("utf-8"))
    places = " ".join(item["location"] for item in found["items"])
    for part in ("tutorial", "howto", "reference", "explanation", "decisions", "project"):
        assert f"{part}/" in places


def test_diagrams_are_pictures_and_no_scripts(site: Path) -> None:
    page = (site / "explanation" / "architecture.html").read_text("utf-8")
    pictures = re.findall(r'src="?(architecture-\w+\.svg)', page)
    assert len(pictures) == 3
    for name in pictures:
        assert (site / "explanation" / name).read_text("utf-8").startswith("<svg")
    assert 'class="mermaid"' not in page


@pytest.mark.parametrize(
    ("link", "page", "there"),
    [
        ("docs/reference/options.md", "README.md", "../reference/options.md"),
        ("CHANGELOG.md", "README.md", "changelog.md"),
        ("docs/images/page.png", "README.md", "../images/page.png"),
        ("../README.md", "docs/index.md", "project/readme.md"),
        ("../../README.md", "docs/howto/x.md", "../project/readme.md"),
        ("../reference/options.md", "docs/howto/x.md", "../reference/options.md"),
        ("https://example.org/a.md", "README.md", "https://example.org/a.md"),
    ],
)
def test_links_are_moved_to_where_the_pages_are(link: str, page: str, there: str) -> None:
    assert PROGRAM["moved"](f"see [it]({link}#x) and more", page) == f"see [it]({there}#x) and more"


@pytest.mark.parametrize(("where", "text"), list(blocks("python")), ids=lambda each: each[:40])
def test_python_in_the_pages_is_python(where: str, text: str) -> None:
    compile(text, where, "exec")
