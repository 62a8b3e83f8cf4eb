"""Passwords and tokens: not settings, since they have no flag or field and are never recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Secret:
    """Name and meaning of a secret in the environment or ``.env``."""

    env: str
    meaning: str

    @property
    def file_env(self) -> str:
        """Name of the variable that names the secret's file."""
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
