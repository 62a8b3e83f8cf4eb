"""Passwords and tokens: from the environment or ``.env`` alone, and shown to nobody."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from kiosk_locust.errors import Mistake, OptionsError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a user and a password, or neither; ``repr`` tells nothing of them."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

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


def secrets(*sources: Mapping[str, str]) -> Secrets:
    """What the sources (the environment, ``.env``) have; those that come first win.

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
        return Credentials(**found)

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
