"""Where a Prometheus finds the figures: in Locust's web server, or in one of our own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from flask import Response
from gevent.pywsgi import WSGIServer
from locust.web import WebUI

from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.exposition import CONTENT_TYPE
from kiosk_locust.options import OutsideOptions

logger = logging.getLogger(__name__)

PATH = "/metrics"
#: Before the first run there is nothing to tell.
NOTHING = b""


class Figures(Protocol):
    """What a run tells."""

    def text(self) -> bytes:
        """In Prometheus's text format."""


class Scraped:
    """Serves ``current``, which is set as runs come and go."""

    def __init__(self) -> None:
        self.current: Figures | None = None
        self._server: WSGIServer | None = None

    def body(self) -> bytes:
        """What is served now."""
        return self.current.text() if self.current else NOTHING

    def add_to(self, web_ui: WebUI) -> None:
        """Serve it below the web UI's base path, behind its login where it has one."""
        app = web_ui.app
        if app is None:
            return
        prefix = (app.blueprints["locust"].url_prefix or "").rstrip("/")

        def metrics() -> Response:
            return Response(self.body(), content_type=CONTENT_TYPE)

        guarded = web_ui.auth_required_if_enabled(metrics)
        app.add_url_rule(
            prefix + PATH, "kiosk_metrics", guarded, methods=["GET"], strict_slashes=False
        )

    def listen(self, options: OutsideOptions) -> None:
        """Serve it on an address of its own; raises OptionsError where that is not to be had."""
        server = WSGIServer((options.address, options.port), self._answer, log=None)
        try:
            server.start()
        except OSError as error:
            advice = f"cannot be listened on ({error.strerror}): choose another METRICS_PORT"
            shown = f"{options.address}:{options.port}"
            raise OptionsError([Mistake("METRICS_PORT", shown, advice)]) from error
        self._server = server
        logger.info("metrics: http://%s:%d%s", options.address, options.port, PATH)

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"].rstrip("/") != PATH or environ["REQUEST_METHOD"] not in (
            "GET",
            "HEAD",
        ):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there is /metrics\n"]
        body = self.body()
        length = ("Content-Length", str(len(body)))
        start_response("200 OK", [("Content-Type", CONTENT_TYPE), length])
        return [body] if environ["REQUEST_METHOD"] == "GET" else []
