"""Failed images by reason, as a real browser shows them; what was put into the ledger is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from kiosk_locust.reporting import html
from kiosk_locust.reporting.web import assets, from_ledger
from tests.helpers.chromium import Chromium, Seen, chromium
from tests.helpers.ledgers import IMAGE_FIELDS, Row, make

MARKUP = "ValueError: <b>bold</b> & <img src=x onerror=alert(1)>"
MEMORY = "MemoryError: 1,024 MiB"
ROWS = """[...document.querySelectorAll("#{} tbody tr")].map(
    (row) => [...row.children].map((cell) => cell.textContent))"""
HEADS = '[...document.querySelectorAll("#failed-images thead th")].map((h) => h.textContent)'
SHOWN = """["#failed-images", "#no-failure"].map(
    (selector) => document.querySelector(selector).offsetHeight > 0)"""
WIDE = "document.documentElement.scrollWidth <= window.innerWidth"


def partial(number: int, failed: dict[str, str]) -> Row:
    """A ZIP of 10 images, of which some failed, each with its reason."""
    keys = {f"segmentation:{name}:{n:032x}": why for n, (name, why) in enumerate(failed.items())}
    fields: dict[str, Any] = {**IMAGE_FIELDS, "failures": urlencode(keys)}
    return Row(
        number=number,
        file="a.zip",
        job_id=f"segmentation-zip:a.zip:{number}",
        outcome="partial",
        images_done=10 - len(failed),
        images_failed=len(failed),
        fields=fields,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as started:
        yield started


def look(browser: Chromium, folder: Path, *rows: Row, width: int = 1280) -> Seen:
    """The report over these jobs."""
    page = folder / "run.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "plotly", lambda: None)  # charts take seconds, and are not looked at
        page.write_text(html.render(from_ledger.read(make(folder / "run.db", list(rows)))), "utf-8")
    return browser.visit(
        page.as_uri(),
        ("tell", "groups", ROWS.format("failed-images")),
        ("tell", "heads", HEADS),
        ("tell", "last", ROWS.format("failures")),
        ("tell", "shown", SHOWN),
        ("tell", "wide", WIDE),
        ("axe", "axe"),
        width=width,
    )


@pytest.fixture(scope="module")
def seen(browser: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Two ZIPs that are partial, and one that is whole."""
    return look(
        browser,
        tmp_path_factory.mktemp("partial"),
        partial(0, {f"{n}.png": MARKUP for n in range(7)}),
        partial(1, {"a.png": MARKUP, "b.png": MEMORY}),
        Row(number=2, file="a.zip", images_done=10),
    )


def test_each_reason_has_a_row_with_its_images_jobs_and_some_names(seen: Seen) -> None:
    assert seen.told["heads"] == ["reason", "images", "jobs", "for example"]
    first, second = seen.told["groups"]
    assert first[:3] == [MARKUP, "8", "2"]
    assert first[3].startswith("0.png, 1.png, ")
    assert second == [MEMORY, "1", "1", "b.png"]


def test_both_partial_jobs_are_among_the_last_failures(seen: Seen) -> None:
    assert sorted(row[2] for row in seen.told["last"]) == ["partial", "partial"]
    assert seen.told["shown"] == [True, False]  # the table, and "None."


def test_a_reason_is_text_and_the_page_has_no_fault(seen: Seen) -> None:
    assert seen.errors == []
    assert [found for found in seen.told["axe"] if found[0] in ("serious", "critical")] == []


def test_a_run_without_failed_images_has_no_such_table(browser: Chromium, tmp_path: Path) -> None:
    told = look(browser, tmp_path, Row(number=0, file="a.zip", images_done=10)).told
    assert (told["groups"], told["last"]) == ([], [])
    assert told["shown"] == [False, True]


def test_on_a_narrow_screen_the_table_scrolls_and_the_page_does_not(
    browser: Chromium, tmp_path: Path
) -> None:
    job = partial(0, {f"{'long_name_of_an_image_' * 5}{n}.png": MARKUP for n in range(5)})
    assert look(browser, tmp_path, job, width=400).told["wide"]
