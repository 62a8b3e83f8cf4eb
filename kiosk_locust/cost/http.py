"""JSON over HTTP from a Grafana or a Prometheus, with a login that reaches no other host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from kiosk_locust.client.proxies import is_loopback
from kiosk_locust.clock import Clock
from kiosk_locust.cost import error_messages
from kiosk_locust.cost.credentials import Credentials, is_same_host
from kiosk_locust.errors import CostError, CostRefused
from kiosk_locust.formatting import quoting

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 60.0  # a Prometheus gives up a query after 2 min, most proxies before that
TRIES = 3
PAUSE_S = 1.0  # before the second try; it doubles
#: A thousand series of 11,000 points, Prometheus's limit, need less.
MAX_ANSWER_BYTES = 512 * 1024 * 1024
READ_BYTES = 64 * 1024
LONGEST_HINT_S = 10.0  # longest Retry-After that is obeyed
BUSY = frozenset({429, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server: the setting that names it (GRAFANA_HOST, …), its base URL, its login settings."""

    setting: str
    base_url: str
    login: str  # settings of its login, for advice in messages

    def __str__(self) -> str:
        return f"{self.setting} ({self.base_url})"


class JsonClient:
    """HTTP client for one base URL, with timeouts and retries of transient failures.

    Every method raises CostError on failure. Redirects are followed by hand, within the same host
    alone: ``requests`` would also look up a login in ~/.netrc for each host on the way.
    """

    def __init__(self, target: Endpoint, credentials: Credentials, clock: Clock) -> None:
        self.target = target
        self._credentials = credentials
        self._login = _Login(credentials)
        self._clock = clock
        self._session = requests.Session()
        if is_loopback(urlsplit(target.base_url).hostname or ""):
            self._session.trust_env = False  # requests would send even loopback calls to HTTP_PROXY
        self._open_since: float | None = None  # start of the open request, if any (monotonic s)
        self.has_answered = False  # any response at all since construction
        self.is_given_up = False  # set by the caller that stopped waiting

    @property
    def open_s(self) -> float:
        """Age of the open request with all its tries, in seconds; 0 if none is open."""
        return 0.0 if self._open_since is None else monotonic() - self._open_since

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """JSON document that GET returns; ``path`` begins with a slash."""
        return self._call("GET", path, query or {}, None)

    def post(self, path: str, body: object) -> Any:
        """JSON document that POST returns; not retried, since POST may not be repeatable."""
        return self._call("POST", path, {}, body)

    def _call(self, method: str, path: str, query: Mapping[str, str], body: object) -> Any:
        answer = self._answer(method, self.target.base_url + path, query, body)
        if not answer.ok or answer.status_code in REDIRECTS:
            has_login = bool(self._credentials.header_for(self.target.base_url))
            login = self.target.login
            if self._credentials and not has_login:
                login = f"{self.target.setting}, since a login goes to what that names alone"
            advice = error_messages.refusal_advice(answer, login, has_login=has_login)
            raise CostRefused(
                f"{self.target} answered {answer.status_code} to {method} {path}"
                f"{self._quoted(answer)}: {advice}",
                status=answer.status_code,
            )
        try:
            return json.loads(answer.content)
        except (ValueError, RecursionError):
            raise CostError(
                f"{self.target} answered {method} {path} with no JSON{self._quoted(answer)}; is"
                " the address right, its path, too, and does nothing before it want a login?"
            ) from None

    def _quoted(self, answer: requests.Response) -> str:
        return self._credentials.hidden_in(error_messages.quoted(answer))

    def _answer(
        self, method: str, url: str, query: Mapping[str, str], body: object
    ) -> requests.Response:
        """Response of the last try."""
        self._open_since = monotonic()
        try:
            return self._send_with_retries(method, url, query, body)
        finally:
            self._open_since = None

    def _send_with_retries(
        self, method: str, url: str, query: Mapping[str, str], body: object
    ) -> requests.Response:
        pause_s = PAUSE_S
        tries = TRIES if method == "GET" else 1
        for tries_left in reversed(range(tries)):
            try:
                answer = self._follow(method, url, query, body)
            except requests.RequestException as error:
                if not tries_left:
                    cause = error_messages.connection_trouble(error)
                    raise CostError(f"{self.target} cannot be reached: {cause}") from None
            else:
                if answer.status_code not in BUSY or not tries_left:
                    return answer
                pause_s = max(pause_s, _retry_after_s(answer))
            self._clock.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last try returns or raises")

    def _follow(
        self, method: str, url: str, query: Mapping[str, str], body: object
    ) -> requests.Response:
        """Send a request, following redirects on the same host."""
        params: Mapping[str, str] | None = query
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._session.request(
                method,
                url,
                params=params,
                json=body,
                auth=self._login,
                headers={"Accept": "application/json"},
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                stream=True,
            )
            self._read(answer)
            self.has_answered = True
            location = answer.headers.get("location", "")
            if answer.status_code not in REDIRECTS or not location:
                return answer
            target = urljoin(url, location)
            if not is_same_host(urlsplit(url), urlsplit(target)):
                place = urlsplit(target)
                raise CostError(
                    f"{self.target} redirects to another place,"
                    f" {quoting.quoted(f'{place.scheme}://{place.hostname}')}, which was sent"
                    " nothing: it"
                    f" is a page for a login, or {self.target.setting} should name that address"
                )
            url, params = target, None  # the query is part of the new address
        raise CostError(
            f"{self.target} redirects in a circle: set {self.target.setting} to the address that"
            " answers by itself"
        )

    def _read(self, answer: requests.Response) -> None:
        """Read a decompressed body into ``answer``, up to `MAX_ANSWER_BYTES`.

        Raises:
            CostError: The body is larger.

        """
        body = bytearray()
        with answer:
            for piece in answer.iter_content(READ_BYTES):
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise CostError(
                        f"{self.target} answered with more than {MAX_ANSWER_BYTES:,} bytes, which"
                        " was not read on: is the address right?"
                    )
        answer._content = bytes(body)  # what `content` would have read, but bounded


def _retry_after_s(answer: requests.Response) -> float:
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), LONGEST_HINT_S) if text.isascii() and text.isdigit() else 0.0


class _Login(requests.auth.AuthBase):
    """Sets the header itself, also an absent one, so that requests never reads ~/.netrc.

    requests calls it for each request, also after a redirect.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if header := self._credentials.header_for(request.url or ""):
            request.headers["Authorization"] = header
        return request
