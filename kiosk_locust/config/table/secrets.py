"""Passwords and tokens: no settings, since they have no flag, no field, and are never recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """One name that the environment or ``.env`` may have, and what it is."""

    env: str
    meaning: str

    @property
    def file_env(self) -> str:
        """The name that says in which file the secret stands."""
        return f"{self.env}_FILE"


SECRETS = (
    Secret("GRAFANA_USER", "User of GRAFANA_HOST."),
    Secret("GRAFANA_PASSWORD", "Password of that user."),
    Secret("GRAFANA_TOKEN", "Token of a service account of GRAFANA_HOST, instead of a user."),
    Secret("PROMETHEUS_USER", "User of PROMETHEUS_URL, where it wants a login."),
    Secret("PROMETHEUS_PASSWORD", "Password of that user."),
    Secret("PROMETHEUS_TOKEN", "Bearer token for PROMETHEUS_URL, instead of a user."),
    Secret("WEB_LOGIN_USER", "Who logs in to the web page with --web-login; kiosk if not given."),
    Secret("WEB_LOGIN_PASSWORD", "Password of that user, without which --web-login is refused."),
)
