"""What is added to Locust's front page."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from kiosk_locust.assembly.security_warnings import open_page
from kiosk_locust.config.table import GROUPS
from kiosk_locust.plugin import locust_page
from kiosk_locust.plugin.web_ui import Site

PAGE = (
    "<html><head></head><body>"
    '<script>window.templateArgs = {"missing_host_warning": true, "host": null}</script>'
    '<div id="root"></div></body></html>'
)


def shown(notice: str = "") -> str:
    app = Flask("test")
    app.add_url_rule("/", "locust.index", lambda: PAGE)
    app.add_url_rule("/other", "locust.other", lambda: PAGE)
    locust_page.add(app, lambda: notice)
    assert app.test_client().get("/other").text == PAGE
    return app.test_client().get("/").text


def test_nobody_is_asked_for_a_host_where_none_is_needed() -> None:
    assert '"missing_host_warning": false, "host": null' in shown()


def test_links_lead_to_the_pages_and_a_notice_is_text() -> None:
    text = shown("<b>SIMULATED</b>")
    assert 'href="./kiosk"' in text
    assert 'href="./kiosk/runs"' in text
    assert "&lt;b&gt;SIMULATED" in text


def test_a_page_that_is_open_to_others_says_so_itself(tmp_path: Path) -> None:
    site = Site(tmp_path, open_page("", 8089, has_login=False))
    assert "listens on all interfaces, port 8089" in shown(site._notice())
    assert shown(Site(tmp_path)._notice()) == shown()


def test_a_label_begins_small_but_for_what_is_an_abbreviation() -> None:
    hints = {each.name: each.form_hint for _, settings in GROUPS for each in settings}
    assert hints["prices"].startswith("CSV file")
    assert hints["images_per_job"].startswith("images: images that")
