"""Cross-site protection: other sites' pages may neither use nor read what this server serves.

A page of any site that is open in an operator's browser can send requests to an address that only
this browser reaches, be it 127.0.0.1. Two things tell such requests apart (Fetch Metadata, W3C;
the resource isolation policy of web.dev; OWASP's Cross-Site Request Forgery Prevention Cheat
Sheet): the browser names the requesting page's site in ``Sec-Fetch-Site`` or ``Origin``, and
the requested name in ``Host``. Programs that send neither of the first two pass.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import time
from collections.abc import Callable, Collection, Iterable
from types import TracebackType
from typing import TypeAlias
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from kiosk_locust.formatting.excerpt import excerpt

logger = logging.getLogger(__name__)

ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
)

#: Shortest time between two log lines about refused requests, in seconds.
LOG_INTERVAL_S = 10.0
#: Values of ``Sec-Fetch-Site`` of requests that no other site's page sent. ``same-site`` is another
#: port of the same host, or another host of the same domain: a foreign site.
_OWN_SITES = ("same-origin", "none")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+)(:\d{1,5})?")
_CORS = "access-control-"


def machine_names() -> frozenset[str]:
    """Names of this machine in lower case; blocks for the resolver."""
    return frozenset(name.lower() for name in (socket.gethostname(), socket.getfqdn()))


class OwnHosts:
    """Hosts that requests may name in ``Host``.

    These are IP addresses (which no site's name can resolve into), localhost, ``allowed``, and the
    names of this machine, for which ``names`` is called when first needed.
    """

    def __init__(
        self, allowed: Collection[str] = (), names: Callable[[], Collection[str]] = machine_names
    ) -> None:
        self.allowed = frozenset(name.lower().rstrip(".") for name in allowed)
        self._names = names
        self._known_names: Collection[str] | None = None

    def has(self, host: str) -> bool:
        """Tell if ``host``, the header's value, is one of them."""
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost") or name in self.allowed:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            if self._known_names is None:
                self._known_names = self._names()
            return name in self._known_names
        return True


class SiteGuard:
    """WSGI middleware that refuses requests of other sites' pages.

    Put it before everything that ``app`` has::

        flask_app.wsgi_app = SiteGuard(flask_app.wsgi_app, OwnHosts(["bench.example.org"]))

    Followed links may come from anywhere: they open a page of their own that no other site can
    read. A request by which another site's page would change, read, or embed something is refused.
    CORS headers, which would let other sites' pages read responses, are removed from every
    response.
    """

    def __init__(
        self,
        app: WSGIApplication,
        hosts: OwnHosts,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._now = now
        self._logged_at: float | None = None
        self._unlogged = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request: refuse it, or pass it on."""
        refusal = self._host_refusal(environ) or self._site_refusal(environ)
        if refusal:
            status, text = refusal
            self._log_refusal(environ, text)
            return _refuse(status, text, start_response)

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            return start_response(status, _without_cors(headers), exc_info)

        return self._app(environ, start)

    def _host_refusal(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Refusal of a request for its Host header, which every browser sends; None: accepted."""
        host = environ.get("HTTP_HOST")
        if host is None or self._hosts.has(host):
            return None
        return "400 Bad Request", (
            f"This page does not answer to the name {excerpt(host)!r}: a name that another site"
            " owns may lead here. If it is yours, open the page by its IP address, or start Locust"
            " with --web-allowed-host NAME (WEB_ALLOWED_HOST)."
        )

    def _site_refusal(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """Refusal of a request for the requesting site; None: accepted."""
        site = self._foreign_site(environ)
        if not site or _is_followed_link(environ):
            return None
        return "403 Forbidden", (
            f"A page of another site ({excerpt(site)}) asked for this. Use the page itself, or"
            " a program, which sends neither Sec-Fetch-Site nor Origin. Behind a proxy, have it"
            " hand on the header Host unchanged."
        )

    def _foreign_site(self, environ: WSGIEnvironment) -> str:
        """The requesting foreign site, as the headers name it; empty: none."""
        site: str | None = environ.get("HTTP_SEC_FETCH_SITE")
        origin: str | None = environ.get("HTTP_ORIGIN")
        if site is not None:
            return "" if site in _OWN_SITES else origin or site or "it does not say which"
        if origin is None or self._is_own_origin(origin, environ.get("HTTP_HOST", "")):
            return ""
        return origin

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Tell if an origin is the request's own host, or a name allowed by the operator.

        The scheme is not compared, since a proxy may have terminated TLS.
        """
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        port = _DEFAULT_PORTS.get(parts.scheme)
        if port is None:  # "null", a file, a browser extension
            return False
        origin_host = parts.netloc.lower().removesuffix(port)
        return origin_host == host.lower().removesuffix(port) or origin_host in self._hosts.allowed

    def _log_refusal(self, environ: WSGIEnvironment, reason: str) -> None:
        """Log a refusal, at most one per `LOG_INTERVAL_S`."""
        now = self._now()
        if self._logged_at is not None and now - self._logged_at < LOG_INTERVAL_S:
            self._unlogged += 1
            return
        more = f" (and {self._unlogged:,} requests more before it)" if self._unlogged else ""
        self._logged_at, self._unlogged = now, 0
        line = excerpt(f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}")
        logger.warning("refused %s of %s%s: %s", line, environ.get("REMOTE_ADDR"), more, reason)


def _is_followed_link(environ: WSGIEnvironment) -> bool:
    """Tell if a request opens a top-level page and changes nothing."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST", "document") == "document"
    )


def _without_cors(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers without those that let other sites' pages read a response, or embed it."""
    safe = [(name, value) for name, value in headers if not name.lower().startswith(_CORS)]
    if not any(name.lower() == "x-frame-options" for name, _ in safe):
        safe.append(("X-Frame-Options", "SAMEORIGIN"))
    return safe


def _refuse(status: str, text: str, start_response: StartResponse) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    start_response(
        status,
        [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ],
    )
    return [body]
