"""The site is built without a warning, asks no network for anything, and leads to no dead end."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, blocks
from tests.helpers.real import ROOT


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=project, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    told = build(ROOT, folder)
    assert told.returncode == 0, told.stderr
    assert "WARNING" not in told.stderr
    return folder


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


def test_a_link_to_nowhere_is_an_error(tmp_path: Path) -> None:
    for name in ("docs", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in [*ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md", ROOT / "mkdocs.yml"]:
        there = tmp_path / path.relative_to(ROOT)
        there.parent.mkdir(exist_ok=True)
        shutil.copy(path, there)
    page = tmp_path / "docs" / "tutorial" / "first-run.md"
    text = page.read_text("utf-8")
    for wrong in ("[x](nowhere.md)", "[x](../reference/options.md#nowhere)"):
        page.write_text(f"{text}\n{wrong}\n", "utf-8")
        told = build(tmp_path, tmp_path / "site")
        assert told.returncode == 1
        assert "first-run.md" in told.stderr
        assert "nowhere" in told.stderr


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
    moved = runpy.run_path(str(ROOT / "scripts" / "site_pages.py"))["moved"]
    assert moved(f"see [it]({link}#x) and more", page) == f"see [it]({there}#x) and more"


@pytest.mark.parametrize(("where", "text"), list(blocks("python")), ids=lambda each: each[:40])
def test_python_in_the_pages_is_python(where: str, text: str) -> None:
    compile(text, where, "exec")
