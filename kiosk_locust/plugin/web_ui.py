"""What is added to Locust's web UI, and what it looks at: the plugin says which run is on."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from locust.web import WebUI

from kiosk_locust.plugin import locust_page, locust_patches
from kiosk_locust.plugin.web_login import Login
from kiosk_locust.reporting.web import tab
from kiosk_locust.reporting.web.live import LiveRun
from kiosk_locust.reporting.web.pages import Pages
from kiosk_locust.reporting.web.site_guard import OwnHosts, SiteGuard

SIMULATED = "SIMULATED: the jobs run on the simulated Kiosk"


class Site:
    """The Kiosk's part of a web UI; attributes are set as runs come and go."""

    def __init__(self, output_dir: Path, warning: str = "") -> None:
        self.output_dir = output_dir
        self._warning = warning  # stands on the front page
        self.current: LiveRun | None = None
        self.refusal = ""  # why the last run did not start
        self.login: Login | None = None  # by which people came in, unless it is not ours

    def began(self, run: LiveRun | None, output_dir: Path) -> None:
        """A run is on; its files go to that folder."""
        self.current = run
        self.output_dir = output_dir
        self.refusal = ""

    def add_to(self, web_ui: WebUI, allowed_hosts: Collection[str] = ()) -> None:
        """Add the guard, pages, tab, and order in the form; before the UI's first request.

        ``allowed_hosts`` are further names by which the UI may be asked for.
        """
        app = web_ui.app
        if app is None:
            return
        # Before all that the UI has, which nothing within Flask is: Locust's CORS comes last there.
        app.wsgi_app = SiteGuard(  # type: ignore[method-assign]  # Flask's own way
            app.wsgi_app, OwnHosts({*allowed_hosts, web_ui.host or ""})
        )
        locust_patches.keep_key_order(app)
        pages = Pages(self, web_ui.auth_required_if_enabled)
        app.register_blueprint(pages.blueprint(app.blueprints["locust"].url_prefix or ""))
        tab.add(web_ui, self)
        locust_page.add(
            app, self._notice, lambda: self.login is not None and self.login.is_in_force
        )

    def _notice(self) -> str:
        """What stands before the links of the front page."""
        is_simulated = self.current is not None and self.current.simulated
        return " · ".join(filter(None, [SIMULATED if is_simulated else "", self._warning]))
