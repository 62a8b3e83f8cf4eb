"""Grafana and Prometheus logins, read from the environment or ``.env`` alone and never shown.

Each login is bound to the servers named by whoever started the process. It is sent to no other
server that a web form, a ledger or a redirect names.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from kiosk_locust.errors import Mistake, OptionsError

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a user and a password, or neither; ``repr`` shows none of them.

    They are sent only to the servers in ``bound_to`` (base URLs), so initially to none.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    bound_to: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.user or self.password or self.token)

    @property
    def header(self) -> str:
        """Value of ``Authorization``; a token takes precedence. Empty if there is no login."""
        if self.token:
            return f"Bearer {self.token}"
        if self.user or self.password:
            pair = f"{self.user}:{self.password}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        return ""

    def bound(self, urls: Iterable[str]) -> Credentials:
        """Copy bound to the servers at ``urls``."""
        return dataclasses.replace(self, bound_to=tuple(filter(None, urls)))

    def may_go_to(self, url: str) -> bool:
        """Tell if ``url`` is on one of the servers that these credentials are bound to."""
        return any(is_same_host(urlsplit(bound_url), urlsplit(url)) for bound_url in self.bound_to)

    def header_for(self, url: str) -> str:
        """Value of ``Authorization`` for a request to ``url``; empty if none may be sent."""
        return self.header if self.may_go_to(url) else ""

    def hidden_in(self, text: str) -> str:
        """``text`` with each secret replaced by ``***``."""
        for secret in (self.token, self.password, self.header.rpartition(" ")[2]):
            if secret:
                text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Secrets:
    """All logins of a run."""

    grafana: Credentials = Credentials()
    prometheus: Credentials = Credentials()


def is_same_host(bound: SplitResult, target: SplitResult) -> bool:
    """Tell if a login for ``bound`` may be sent to ``target``: the same server, or its https."""
    if bound.hostname != target.hostname:
        return False
    try:
        ports = [part.port or DEFAULT_PORTS.get(part.scheme) for part in (bound, target)]
    except ValueError:
        return False
    if bound.scheme == target.scheme:
        return ports[0] == ports[1]
    return (bound.scheme, target.scheme, *ports) == ("http", "https", 80, 443)


def secrets(*sources: Mapping[str, str]) -> Secrets:
    """Logins in the sources (the environment, ``.env``), bound to no server; first source wins.

    A login is taken as a whole: a password in the environment also overrides a token in ``.env``.

    Raises:
        OptionsError: A login holds characters that no HTTP header can carry; the message omits the
            value.

    """
    mistakes: list[Mistake] = []

    def read_login(prefix: str) -> Credentials:
        login = dict.fromkeys(("user", "password", "token"), "")
        for source in sources:
            parts = {part: source.get(f"{prefix}_{part.upper()}", "") for part in login}
            if login["password"]:
                parts["token"] = ""
            login = {part: already or parts[part] for part, already in login.items()}
        login["token"] = login["token"].strip()
        mistakes.extend(_mistakes(prefix, login))
        return Credentials(login["user"], login["password"], login["token"])

    logins = Secrets(read_login("GRAFANA"), read_login("PROMETHEUS"))
    if mistakes:
        raise OptionsError(mistakes)
    return logins


def _mistakes(prefix: str, login: Mapping[str, str]) -> list[Mistake]:
    mistakes = []
    if not (login["token"].isascii() and login["token"].isprintable()) or " " in login["token"]:
        advice = "holds blanks or characters that no token has; copy it anew"
        mistakes.append(Mistake(f"{prefix}_TOKEN", "", advice))
    if ":" in login["user"]:
        advice = "must not hold a colon, which HTTP's Basic login cannot carry"
        mistakes.append(Mistake(f"{prefix}_USER", "", advice))
    return mistakes
