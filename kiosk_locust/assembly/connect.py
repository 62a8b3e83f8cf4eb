"""A run's Kiosk: reached, or started where it is simulated, and asked whether it can serve."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

from kiosk_locust.assembly.embedded_simulator import EmbeddedKiosk
from kiosk_locust.assembly.preflight import check_kiosk, find_base_url
from kiosk_locust.client import proxies
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.client.transport import Transport
from kiosk_locust.clock import Clock
from kiosk_locust.errors import KioskError
from kiosk_locust.formatting.wait_messages import announcing
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.storage.bucket import Address

logger = logging.getLogger(__name__)


class Contact:
    """With the Kiosk at ``host``, once ``make`` has been called."""

    def __init__(
        self, options: Options, clock: Clock, on_request: Callable[[RequestSample], None]
    ) -> None:
        self._options = options
        self.calls = CallFailures(clock)  # which of them fail
        self.embedded: EmbeddedKiosk | None = None
        if options.host is None:
            folder = Address.parse(options.files.storage_bucket).folder
            self.embedded = EmbeddedKiosk("--folder", str(folder))
        self._clock = clock
        self._on_request = on_request
        self._closers: list[Callable[[], None]] = []

    def make(self, requests: Iterable[JobRequest]) -> None:
        """Reach the Kiosk, and ask whether it can run ``requests``.

        Raises KioskLocustError where it cannot.
        """
        self.host = self._reach()
        transport = Transport(
            self.host,
            pool_size=self._options.pool_size,
            request_timeout_s=self._options.request_timeout_s,
            clock=self._clock,
            on_request=self._on_request,
        )
        self._closers.append(transport.close)
        self.kiosk = Kiosk(transport, self.calls)
        wanted = {(r.job_type, r.model_name, r.model_version) for r in requests}
        limit_s = self._options.request_timeout_s
        with announcing(
            f"waiting for the Kiosk's job types and models from {self.host}, at most {limit_s:g} s"
            " a request (REQUEST_TIMEOUT)"
        ):
            for job_type, model, version in sorted(wanted):
                for warning in check_kiosk(self.kiosk, job_type, model, version):
                    logger.warning("%s", warning)
        if not wanted:
            with contextlib.suppress(KioskError):  # the first job tells more
                self.kiosk.health()
        if self.is_simulated_elsewhere:
            logger.warning(
                "SIMULATED: %s says that it is a simulated Kiosk: no figure of this run is of a"
                " real one",
                self.host,
            )

    @property
    def is_simulated_elsewhere(self) -> bool:
        """Whether the Kiosk that was reached by its address says that it is a simulated one."""
        return self.embedded is None and self.kiosk.is_simulated

    def close(self) -> None:
        """Let go of it; a simulated one ends."""
        while self._closers:
            self._closers.pop()()

    def _reach(self) -> str:
        """The base URL to use: of the Kiosk, or of a simulated one that is started here."""
        if self.embedded is not None:
            logger.warning("SIMULATED: no host is set, so these jobs run on the simulated Kiosk")
            self._closers.append(self.embedded.stop)
            return self.embedded.start()
        host = self._options.host or ""
        proxies.warn_of_unused(host)
        limit_s = self._options.request_timeout_s
        with announcing(
            f"waiting for an answer from {host}, at most {limit_s:g} s (REQUEST_TIMEOUT)"
        ):
            return find_base_url(host, request_timeout_s=limit_s)
