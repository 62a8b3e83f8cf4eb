"""Serving of metrics to a Prometheus: in Locust's web server, or in a separate one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from flask import Response, request
from gevent.event import Event
from gevent.pywsgi import WSGIServer
from locust.web import WebUI
from prometheus_client import CollectorRegistry

from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.model.options import OutsideOptions
from kiosk_locust.monitoring.prometheus import encoded

logger = logging.getLogger(__name__)

PATH = "/metrics"
#: Metrics before the first run: none.
NOTHING = CollectorRegistry(auto_describe=False)
#: Scrapes that each scraper gets after a run's end before the server may stop.
LAST_SCRAPES = 2


class Figures(Protocol):
    """Metrics of a run."""

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Metrics and their content type, by the header ``Accept``."""


class MetricsServer:
    """Server of ``current``, which is set as runs come and go."""

    def __init__(self) -> None:
        self.current: Figures | None = None
        self._server: WSGIServer | None = None
        self._scrapers: dict[str, int] = {}  # remaining scrapes, by address
        self._is_done = Event()
        self._is_lingering = False

    def body(self, accept: str) -> tuple[bytes, str]:
        """Present metrics, and their content type."""
        return self.current.text(accept) if self.current else encoded(NOTHING, accept)

    def add_to(self, web_ui: WebUI) -> None:
        """Serve metrics below the web UI's base path, behind its login if it has one."""
        app = web_ui.app
        if app is None:
            return
        prefix = (app.blueprints["locust"].url_prefix or "").rstrip("/")

        def metrics() -> Response:
            body, content_type = self.body(request.headers.get("Accept", ""))
            return Response(body, content_type=content_type)

        guarded = web_ui.auth_required_if_enabled(metrics)
        app.add_url_rule(
            prefix + PATH, "kiosk_metrics", guarded, methods=["GET"], strict_slashes=False
        )

    def listen(self, options: OutsideOptions) -> None:
        """Serve metrics on a separate address.

        Raises:
            OptionsError: The address cannot be used.

        """
        server = WSGIServer((options.address, options.port), self._answer, log=None)
        try:
            server.start()
        except OSError as error:
            advice = f"cannot be listened on ({error.strerror}): choose another METRICS_PORT"
            shown = f"{options.address}:{options.port}"
            raise OptionsError([Mistake("METRICS_PORT", shown, advice)]) from error
        self._server = server
        logger.info("metrics: http://%s:%d%s", options.address, options.port, PATH)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def linger(self, limit_s: float) -> None:
        """Wait until each scraper was answered `LAST_SCRAPES` more times, or until ``hurry``.

        Waits ``limit_s`` seconds at most, and also that long if nobody has scraped yet.
        """
        if self._server is None or limit_s <= 0 or self._is_done.is_set():
            return
        logger.info(
            "the run is over; its figures are served for %g s more at most (--metrics-linger)",
            limit_s,
        )
        self._scrapers = dict.fromkeys(self._scrapers, LAST_SCRAPES)
        self._is_lingering = True
        self._is_done.wait(limit_s)
        self._is_lingering = False

    def hurry(self) -> bool:
        """End any lingering, now and later; True if it was in progress."""
        self._is_done.set()
        return self._is_lingering

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"].rstrip("/") != PATH or environ["REQUEST_METHOD"] not in (
            "GET",
            "HEAD",
        ):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there is /metrics\n"]
        body, content_type = self.body(environ.get("HTTP_ACCEPT", ""))
        length = ("Content-Length", str(len(body)))
        start_response("200 OK", [("Content-Type", content_type), length])
        if environ["REQUEST_METHOD"] != "GET":
            return []
        return self._sent(body, environ.get("REMOTE_ADDR", ""))

    def _sent(self, body: bytes, scraper: str) -> Iterator[bytes]:
        yield body
        initial = LAST_SCRAPES if self._is_lingering else 0
        self._scrapers[scraper] = self._scrapers.get(scraper, initial) - 1  # after it was sent
        if self._is_lingering and max(self._scrapers.values()) <= 0:
            self._is_done.set()
