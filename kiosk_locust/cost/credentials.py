"""Passwords and tokens: from the environment or ``.env`` alone, and shown to nobody.

Each is bound to the servers that whoever started the process named; it goes to no other, whoever
names that: a web form, a ledger, a redirect.
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
    """A token, or a user and a password, or neither; ``repr`` tells nothing of them.

    They go to servers of ``bound_to`` (base URLs) alone, so at first to nobody.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    bound_to: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.user or self.password or self.token)

    @property
    def header(self) -> str:
        """The value of ``Authorization``; empty where there is nothing to say. A token wins."""
        if self.token:
            return f"Bearer {self.token}"
        if self.user or self.password:
            pair = f"{self.user}:{self.password}".encode()
            return f"Basic {base64.b64encode(pair).decode('ascii')}"
        return ""

    def bound(self, urls: Iterable[str]) -> Credentials:
        """The same, for the servers at ``urls``."""
        return dataclasses.replace(self, bound_to=tuple(filter(None, urls)))

    def may_go_to(self, url: str) -> bool:
        """Tell if ``url`` is at one of the servers that these are for."""
        return any(is_same_host(urlsplit(one), urlsplit(url)) for one in self.bound_to)

    def header_for(self, url: str) -> str:
        """The value of ``Authorization`` in a request for ``url``; empty: it is sent none."""
        return self.header if self.may_go_to(url) else ""

    def hidden_in(self, text: str) -> str:
        """``text`` without our secrets, should somebody else have written them there."""
        for secret in (self.token, self.password, self.header.rpartition(" ")[2]):
            if secret:
                text = text.replace(secret, "***")
        return text


@dataclass(frozen=True, slots=True)
class Secrets:
    """All that a run knows of passwords and tokens."""

    grafana: Credentials = Credentials()
    prometheus: Credentials = Credentials()


def is_same_host(one: SplitResult, other: SplitResult) -> bool:
    """Tell if a login for ``one`` may be sent to ``other``: the same server, or its https."""
    if one.hostname != other.hostname:
        return False
    try:
        ports = [part.port or DEFAULT_PORTS.get(part.scheme) for part in (one, other)]
    except ValueError:
        return False
    if one.scheme == other.scheme:
        return ports[0] == ports[1]
    return (one.scheme, other.scheme, *ports) == ("http", "https", 80, 443)


def secrets(*sources: Mapping[str, str]) -> Secrets:
    """The logins in the sources (the environment, ``.env``), bound to no server; first ones win.

    A login is a whole: a password in the environment wins over a token in ``.env``, too. Raises
    OptionsError, without the value, for what no HTTP header can carry.
    """
    mistakes: list[Mistake] = []

    def named(prefix: str) -> Credentials:
        found = dict.fromkeys(("user", "password", "token"), "")
        for source in sources:
            given = {part: source.get(f"{prefix}_{part.upper()}", "") for part in found}
            if found["password"]:
                given["token"] = ""
            found = {part: already or given[part] for part, already in found.items()}
        found["token"] = found["token"].strip()
        mistakes.extend(_mistakes(prefix, found))
        return Credentials(found["user"], found["password"], found["token"])

    both = Secrets(named("GRAFANA"), named("PROMETHEUS"))
    if mistakes:
        raise OptionsError(mistakes)
    return both


def _mistakes(prefix: str, found: Mapping[str, str]) -> list[Mistake]:
    mistakes = []
    if not (found["token"].isascii() and found["token"].isprintable()) or " " in found["token"]:
        advice = "holds blanks or characters that no token has; copy it anew"
        mistakes.append(Mistake(f"{prefix}_TOKEN", "", advice))
    if ":" in found["user"]:
        advice = "must not hold a colon, which HTTP's Basic login cannot carry"
        mistakes.append(Mistake(f"{prefix}_USER", "", advice))
    return mistakes
