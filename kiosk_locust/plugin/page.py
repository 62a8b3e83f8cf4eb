"""Our part of Locust's web UI: the guard, the start form, the pages, the login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.runners import Runner
from locust.web import WebUI

from kiosk_locust.assembly import security_warnings
from kiosk_locust.config.secret_files import SecretSources
from kiosk_locust.errors import OptionsError
from kiosk_locust.formatting import quoting
from kiosk_locust.model.options import OutsideOptions
from kiosk_locust.plugin import locust_patches, web_login, web_port
from kiosk_locust.plugin.exit_status import refuse
from kiosk_locust.plugin.start_form import StartForm
from kiosk_locust.plugin.web_ui import Site
from kiosk_locust.reporting.web.live import LiveRun

_SPAWNING = "spawning_greenlet"  # of a runner without workers


class TestStart:
    """The start of a test of Locust's: on, or over with the run begun or refused."""

    __test__ = False  # no class of pytest's

    def __init__(self) -> None:
        self.is_on = False
        self.over = Event()

    def begin(self) -> None:
        """Locust starts a test."""
        self.is_on = True

    def end(self) -> None:
        """The run is begun, or was refused."""
        self.is_on = False
        self.over.set()


class Page:
    """The web UI of a process, with our part of it once it was added."""

    def __init__(self, web_ui: WebUI) -> None:
        self._web_ui = web_ui
        self._form: StartForm | None = None
        self._site: Site | None = None

    @property
    def _parsed(self) -> Any:
        return self._web_ui.environment.parsed_options

    @property
    def warning(self) -> str:
        """A line on a page that others may use; empty where they may not."""
        host, port = self._parsed.web_host, self._parsed.web_port
        return security_warnings.open_page(host, port, has_login=self._parsed.web_login)

    @property
    def picks_classes(self) -> bool:
        """The form has a picker of user classes."""
        return bool(self._web_ui.userclass_picker_is_active)

    def add(
        self,
        runner: Runner,
        *,
        start: TestStart,
        check_form: Callable[[dict[str, str]], None],
        start_refusal: Callable[[float], str],
        output_dir: Path,
        outside: OutsideOptions,
        secret_sources: SecretSources,
    ) -> None:
        """Add our part before the UI's first request.

        ``check_form`` raises KioskLocustError for a form that no run can start from;
        ``start_refusal`` tells within some seconds why the start was refused.
        """
        web_port.check(self._web_ui)
        quoting.set_on(False)
        self._form = StartForm(self._web_ui, runner, check_form, lambda: start.is_on, start_refusal)
        self._site = Site(output_dir, self.warning)
        self._site.add_to(self._web_ui, outside.allowed_hosts)
        self._site.login = self._add_login(secret_sources)

    def _add_login(self, secret_sources: SecretSources) -> web_login.Login | None:
        """Set up ``--web-login``; without a password, and another login, Locust does not start."""

        def check() -> None:
            try:
                web_login.check(self._web_ui)
            except OptionsError as error:
                refuse(error)

        locust_patches.before_page_starts(self._web_ui, check)
        return web_login.add(self._web_ui, web_login.credentials(secret_sources))

    def take_form(self) -> None:
        """A run begins, with the values posted, or else the operator's alone."""
        if self._form is not None:
            self._form.begin()

    def show_run(self, live: LiveRun | None, output_dir: Path) -> None:
        """A run is on; its files go to that folder."""
        if self._site is not None:
            self._site.began(live, output_dir)

    def show_refusal(self, refusal: str) -> None:
        """The last run did not start."""
        if self._site is not None:
            self._site.refusal = refusal

    def starting(self, runner: Runner) -> Iterator[gevent.Greenlet]:
        """The greenlets in which Locust 2.47 begins a test: the form's answer spawns the first.

        Without a worker, its master begins none, and says so itself.
        """
        for owner, name in ((self._web_ui, "_swarm_greenlet"), (runner, _SPAWNING)):
            greenlet = getattr(owner, name, None)
            if greenlet is not None:
                yield greenlet

    def stop(self) -> None:
        """Stop the web UI."""
        self._web_ui.stop()
