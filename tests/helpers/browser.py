"""A program that drives Chromium: a line of JSON in, a line of JSON out, for each visit.

It is a process of its own, since Playwright's event loop and the suite's early gevent patch do
not go together. A visit is ``{"url", "steps", "width", "dark", "offline", "cookies"}``; a step is
a list whose first word says what to do::

    ["click", selector]          ["fill", selector, text]       ["press", key]
    ["until", expression]        wait until this JavaScript is true
    ["tell", name, expression]   its value comes back under that name
    ["axe", name]                what axe-core finds, as [impact, id, selectors]
    ["shot", path]               a picture of the whole page
    ["keep", name, selector, path]   click it, keep the file that comes, tell its name
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

LIMIT_MS = 20_000
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
_RUN_AXE = """async () => (await axe.run()).violations.map(
    (found) => [found.impact, found.id, found.nodes.map((node) => node.target.join(" "))])"""


def visit(browser: Browser, asked: dict[str, Any]) -> dict[str, Any]:
    """Visit a page in a fresh context; what was told, and what went wrong in it."""
    context = browser.new_context(
        viewport={"width": asked.get("width", 1280), "height": 900},
        color_scheme="dark" if asked.get("dark") else "light",
        offline=bool(asked.get("offline")),
        accept_downloads=True,
        bypass_csp=False,
    )
    context.set_default_timeout(LIMIT_MS)
    page = context.new_page()
    errors: list[str] = []
    hosts: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    page.on("request", lambda request: hosts.append(request.url))
    told: dict[str, Any] = {}
    try:
        for url in asked.get("before", []):
            page.goto(url)
        page.goto(asked["url"])
        for step in asked["steps"]:
            _do(page, step, told)
    except Exception as error:  # noqa: BLE001  the test is told of it, whatever it is
        shown = page.evaluate("document.body.innerText") if not page.is_closed() else ""
        return {"failed": f"{error}\n{shown[:2000]}", "told": told, "errors": errors}
    finally:
        context.close()
    return {"told": told, "errors": errors, "requests": hosts}


def _do(page: Page, step: list[Any], told: dict[str, Any]) -> None:
    what, *words = step
    if what == "click":
        page.locator(words[0]).first.click()
    elif what == "fill":
        page.locator(words[0]).first.fill(words[1])
    elif what == "press":
        page.keyboard.press(words[0])
    elif what == "goto":
        page.goto(words[0])
    elif what == "until":
        _wait(page, words[0])
    elif what == "tell":
        told[words[0]] = page.evaluate(words[1])
    elif what == "axe":
        # Evaluated, not added as a script: the page's policy would rightly keep that out.
        page.evaluate(AXE)
        told[words[0]] = page.evaluate(_RUN_AXE)
    elif what == "shot":
        page.screenshot(path=words[0], full_page=True)
    elif what == "keep":
        with page.expect_download() as coming:
            page.locator(words[1]).first.click()
        coming.value.save_as(words[2])
        told[words[0]] = coming.value.suggested_filename
    else:
        raise ValueError(f"no such step: {what}")


def _wait(page: Page, expression: str) -> None:
    """Playwright's own way to wait evaluates strings in the page, which our policy forbids."""
    until = time.monotonic() + LIMIT_MS / 1000
    while not page.evaluate(f"Boolean({expression})"):
        if time.monotonic() > until:
            raise TimeoutError(f"{expression} did not come true")
        page.wait_for_timeout(100)


def main() -> None:
    """Serve visits until the input ends; the argument is Chromium's path."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
        for line in sys.stdin:
            sys.stdout.write(json.dumps(visit(browser, json.loads(line))) + "\n")
            sys.stdout.flush()
        browser.close()


if __name__ == "__main__":
    main()
