"""The guard before every page: other sites' pages may neither use nor read what it serves.

A page of any site that is open in an operator's browser can send requests to an address that only
this browser reaches, be it 127.0.0.1. Two things tell such requests apart (Fetch Metadata, W3C;
the resource isolation policy of web.dev; OWASP's Cross-Site Request Forgery Prevention Cheat
Sheet): the browser says in ``Sec-Fetch-Site`` or ``Origin`` whose page asked, and in ``Host``
which name it asked for. Programs that send neither of the first two pass.
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

#: At most one line in so many seconds tells of refused requests.
TELL_EVERY_S = 10.0
#: Values of ``Sec-Fetch-Site`` by which no other site's page asked. ``same-site`` is another port
#: of the same host, or another host of the same domain: not ours.
_OWN_SITES = ("same-origin", "none")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+)(:\d{1,5})?")
_CORS = "access-control-"


def own_names() -> frozenset[str]:
    """The names of this machine, in lower case; asks the resolver, which may take a while."""
    return frozenset(name.lower() for name in (socket.gethostname(), socket.getfqdn()))


class OwnHosts:
    """The hosts that requests may name in ``Host``.

    These are IP addresses (which no site's name can come to mean), localhost, ``allowed``, and
    the names of this machine, for which ``names`` is called once they matter.
    """

    def __init__(
        self, allowed: Collection[str] = (), names: Callable[[], Collection[str]] = own_names
    ) -> None:
        self.allowed = frozenset(name.lower().rstrip(".") for name in allowed)
        self._names = names
        self._known_names: Collection[str] | None = None

    def has(self, host: str) -> bool:
        """Tell whether ``host``, the value of that header, is one of them."""
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
    """A WSGI layer that refuses what other sites' pages ask for.

    It goes before everything that ``app`` has, whoever added it::

        flask_app.wsgi_app = SiteGuard(flask_app.wsgi_app, OwnHosts(["bench.example.org"]))

    Followed links may come from anywhere: they open a page of their own that no other site can
    read. What another site's page would change, read, or show within itself is refused. Headers
    of CORS, by which other sites' pages could read answers, are taken out of every answer.
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
        self._told_at: float | None = None
        self._left_out = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or have it answered."""
        refusal = self._host_refusal(environ) or self._site_refusal(environ)
        if refusal:
            status, text = refusal
            self._tell(environ, text)
            return _refuse(status, text, start_response)

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            return start_response(status, _closed(headers), exc_info)

        return self._app(environ, start)

    def _host_refusal(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """The refusal of a request for its Host, or None. Every browser sends that header."""
        host = environ.get("HTTP_HOST")
        if host is None or self._hosts.has(host):
            return None
        return "400 Bad Request", (
            f"This page does not answer to the name {excerpt(host)!r}: a name that another site"
            " owns may lead here. If it is yours, open the page by its IP address, or start Locust"
            " with --web-allowed-host NAME (WEB_ALLOWED_HOST)."
        )

    def _site_refusal(self, environ: WSGIEnvironment) -> tuple[str, str] | None:
        """The refusal of a request for the site that asked, or None."""
        asked_by = self._foreign_site(environ)
        if not asked_by or _is_followed_link(environ):
            return None
        return "403 Forbidden", (
            f"A page of another site ({excerpt(asked_by)}) asked for this. Use the page itself, or"
            " a program, which sends neither Sec-Fetch-Site nor Origin. Behind a proxy, have it"
            " hand on the header Host unchanged."
        )

    def _foreign_site(self, environ: WSGIEnvironment) -> str:
        """The other site whose page asked, as the headers name it; empty where none did."""
        site: str | None = environ.get("HTTP_SEC_FETCH_SITE")
        origin: str | None = environ.get("HTTP_ORIGIN")
        if site is not None:
            return "" if site in _OWN_SITES else origin or site or "it does not say which"
        if origin is None or self._is_own_origin(origin, environ.get("HTTP_HOST", "")):
            return ""
        return origin

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Tell whether an origin is where the request went, or a name that the operator gave.

        The scheme is not compared: a proxy may have taken TLS off.
        """
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        port = _DEFAULT_PORTS.get(parts.scheme)
        if port is None:  # "null", a file, an extension of the browser
            return False
        asked_by = parts.netloc.lower().removesuffix(port)
        return asked_by == host.lower().removesuffix(port) or asked_by in self._hosts.allowed

    def _tell(self, environ: WSGIEnvironment, why: str) -> None:
        """Log a refusal, unless one was logged a moment ago."""
        now = self._now()
        if self._told_at is not None and now - self._told_at < TELL_EVERY_S:
            self._left_out += 1
            return
        more = f" (and {self._left_out:,} requests more before it)" if self._left_out else ""
        self._told_at, self._left_out = now, 0
        line = excerpt(f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}")
        logger.warning("refused %s of %s%s: %s", line, environ.get("REMOTE_ADDR"), more, why)


def _is_followed_link(environ: WSGIEnvironment) -> bool:
    """Tell whether a request opens a page of its own, in no frame, and changes nothing."""
    return (
        environ["REQUEST_METHOD"] in ("GET", "HEAD")
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST", "document") == "document"
    )


def _closed(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Headers by which no other site's page reads an answer, or shows it within itself."""
    kept = [(name, value) for name, value in headers if not name.lower().startswith(_CORS)]
    if not any(name.lower() == "x-frame-options" for name, _ in kept):
        kept.append(("X-Frame-Options", "SAMEORIGIN"))
    return kept


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
