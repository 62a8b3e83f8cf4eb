"""The secrets of whoever started the process, and what lies open of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiosk_locust.assembly import security_warnings
from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.config import credential_hosts
from kiosk_locust.config.env_file import DOTENV, misspelt_names
from kiosk_locust.config.secret_files import SecretSources, read_secrets
from kiosk_locust.config.sources import Layers
from kiosk_locust.cost.credentials import Secrets, secrets
from kiosk_locust.model.options import Options

logger = logging.getLogger(__name__)


class Logins:
    """Reads the secrets of a process once; ``dotenv`` is what stood in ``.env``."""

    def __init__(self, dotenv: Mapping[str, str]) -> None:
        self.sources: SecretSources = read_secrets(os.environ, dotenv)
        self._dotenv = dotenv
        self._secrets = secrets(self.sources.environment, self.sources.dotenv)

    def warnings(self, *, has_login: bool, password: str) -> Iterator[str]:
        """A line for each name like that of a setting, and for each secret that lies open.

        ``password`` names the secret that opens the page, where it ``has_login``.
        """
        yield from misspelt_names(self._dotenv, os.environ)
        files = self.sources.files
        yield from security_warnings.warnings(
            os.environ, self._dotenv, Path(DOTENV), self._secrets, files
        )
        if has_login and security_warnings.is_well_known(self.sources.get(password)):
            yield f"{password} is one that everybody knows: choose another"

    def for_run(self, options: Options, layers: Layers, resumed: Resumption | None) -> Secrets:
        """The logins, each for its server; logs which are withheld, and a bucket that is left."""
        bound = credential_hosts.bind_logins(self._secrets, layers, os.environ)
        bucket = resumed.left_bucket(options) if resumed else ""
        for line in filter(
            None, (*credential_hosts.withheld_logins(bound, options.grafana), bucket)
        ):
            logger.warning("%s", line)
        return bound
