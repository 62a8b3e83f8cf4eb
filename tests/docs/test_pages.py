"""Pages are short, begin with an example, and name files and anchors that are there."""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path

import pytest

from kiosk_locust.ledger import schema
from tests.docs.blocks import PAGES
from tests.helpers.real import ROOT

DOCS = ROOT / "docs"
MOST_WORDS = 1200
#: Pages that are one table, made of the code or of the data of tests: looked up, not read.
TABLES = {
    "reference/options.md",
    "reference/results-schema.md",
    "reference/faults.md",
}
GUIDES = [
    path for part in ("tutorial", "howto", "reference", "explanation", "decisions")
    for path in sorted((DOCS / part).glob("*.md"))
]  # fmt: skip
_WORD = re.compile(r"\w")


def words(text: str) -> int:
    """What a reader reads: all that has a letter or digit, without blocks of code."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return sum(bool(_WORD.search(word)) for word in prose.split())


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_page_has_less_than_1200_words(path: Path) -> None:
    if str(path.relative_to(DOCS)) not in TABLES:
        assert words(path.read_text("utf-8")) < MOST_WORDS


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_page_begins_with_an_example_or_a_table_of_what_is_there(path: Path) -> None:
    if path.parent.name == "decisions" and path.name != "index.md":
        return
    begin = path.read_text("utf-8").partition("\n## ")[0]
    assert re.search(r"^(```|    \S|\| )|[Ff]or example", begin, re.M)


def test_the_pages_that_may_be_longer_are_there_and_longer() -> None:
    assert {
        name for name in TABLES if words((DOCS / name).read_text("utf-8")) < MOST_WORDS
    } == set()


def test_every_page_is_in_one_of_the_parts_of_the_documentation() -> None:
    assert {*DOCS.rglob("*.md")} - {*GUIDES} == {DOCS / "index.md"}


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    prose = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.M | re.S)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+?)\s*$", prose, re.M)
    )


def test_every_link_to_a_heading_leads_to_one() -> None:
    links = [
        (page, page if not target else Path(posixpath.normpath(page.parent / target)), anchor)
        for page in PAGES
        for target, anchor in re.findall(
            r"\]\((?!\w+:)([^)#\s]*)#([^)\s]+)\)", page.read_text("utf-8")
        )
    ]
    assert len(links) > 40
    dead = [
        f"{page.relative_to(ROOT)}: {target.name}#{anchor}"
        for page, target, anchor in links
        if anchor not in anchors(target)
    ]
    assert dead == []


def test_every_file_of_the_project_that_a_page_names_is_there() -> None:
    named = {
        (page, path)
        for page in [*GUIDES, ROOT / "CONTRIBUTING.md"]
        for path in re.findall(
            r"`((?:tests|benchmarks|scripts|kiosk_locust|deploy|findings)/[\w/.\-]+?)`",
            page.read_text("utf-8"),
        )
        if "NAME" not in path
    }
    assert len(named) > 60
    missing = [
        f"{page.relative_to(ROOT)}: {path}" for page, path in named if not (ROOT / path).exists()
    ]
    assert missing == []


DECISIONS = sorted((DOCS / "decisions").glob("0*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_has_context_decision_and_consequences_in_80_to_200_words(path: Path) -> None:
    text = path.read_text("utf-8")
    ((number, title),) = re.findall(r"^# (\d+)\. (.+)$", text, re.M)
    assert path.name == f"{int(number):04}-{re.sub('[^a-z0-9]+', '-', title.lower()).strip('-')}.md"
    assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Consequences"]
    assert 80 <= words(text) <= 215  # the title and the headings among them


def test_the_index_of_decisions_has_each_in_its_order() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \[.+\]\((.+)\) \|$", (DOCS / "decisions" / "index.md").read_text(), re.M
    )
    assert rows == [(str(number), path.name) for number, path in enumerate(DECISIONS, 1)]


def test_the_states_in_the_picture_of_a_ticket_are_those_of_the_ledger() -> None:
    schema = (ROOT / "kiosk_locust" / "ledger" / "ledger.sql").read_text("utf-8")
    (allowed,) = re.findall(r"CHECK \(state IN \((.*?)\)", schema)
    states = set(re.findall(r"'(\w+)'", allowed))
    page = (DOCS / "explanation" / "architecture.md").read_text("utf-8")
    picture = page.partition("stateDiagram-v2\n")[2].partition("```")[0]
    shown = set(re.findall(r"^    (?:\[\*\]|\w+) --> (\w+):", picture, re.M))
    assert shown == states


def test_every_module_that_architecture_and_decisions_name_is_there() -> None:
    package = ROOT / "kiosk_locust"
    pages = [DOCS / "explanation" / "architecture.md", *DECISIONS]
    named = {
        (page.name, name)
        for page in pages
        for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", page.read_text("utf-8"))
        if (package / name.partition(".")[0]).is_dir()
    }
    assert len(named) > 40
    missing = []
    for page, name in named:
        path = package / name.replace(".", "/")
        if not path.is_dir() and not path.with_suffix(".py").is_file():
            above = path.parent.with_suffix(".py")
            within = above if above.is_file() else path.parent / "__init__.py"
            if not within.is_file() or not re.search(
                rf"\b{path.name}\b", within.read_text("utf-8")
            ):
                missing.append(f"{page}: {name}")
    assert missing == []


def test_the_versions_of_ledgers_on_the_page_are_those_that_the_code_knows() -> None:
    page = (DOCS / "explanation" / "untrusted-ledgers.md").read_text("utf-8")
    versions = [int(text) for text in re.findall(r"^\| (\d+) \|", page, re.M)]
    assert versions == [*range(1, schema.VERSION + 1)]


def test_pages_that_code_and_settings_name_exist() -> None:
    places = [ROOT / "locust.conf", ROOT / ".env.example", *(ROOT / "kiosk_locust").rglob("*.py")]
    missing = {
        (place.name, page)
        for place in places
        for page in re.findall(r"\bdocs/[\w/-]+\.md", place.read_text("utf-8"))
        if not (ROOT / page).is_file()
    }
    assert missing == set()
