"""A run's Kiosk: reached, or started where it is simulated, and asked whether it can serve."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection with the Kiosk at ``url``; ``embedded`` is the simulated one started for it."""

    kiosk: Kiosk
    url: str
    calls: CallFailures  # which of them fail
    embedded: EmbeddedKiosk | None

    @property
    def is_simulated(self) -> bool:
        """True if no figure of the run is of a real Kiosk."""
        return self.embedded is not None or self.is_simulated_elsewhere

    @property
    def is_simulated_elsewhere(self) -> bool:
        """True if the Kiosk that was reached by its address says that it is a simulated one."""
        return self.embedded is None and self.kiosk.is_simulated


def connect(
    options: Options,
    requests: Iterable[JobRequest],
    clock: Clock,
    *,
    calls: CallFailures,
    on_request: Callable[[RequestSample], None],
    resources: ExitStack,
) -> Connection:
    """Reach the Kiosk, and ask whether it can run ``requests``; ``resources`` closes it again.

    Raises KioskLocustError where it cannot.
    """
    embedded = _embedded(options, resources) if options.host is None else None
    url = embedded.start() if embedded else _found(options)
    transport = Transport(
        url,
        pool_size=options.pool_size,
        request_timeout_s=options.request_timeout_s,
        clock=clock,
        on_request=on_request,
    )
    resources.callback(transport.close)
    connection = Connection(Kiosk(transport, calls), url, calls, embedded)
    _check(connection, requests, options.request_timeout_s)
    if connection.is_simulated_elsewhere:
        logger.warning(
            "SIMULATED: %s says that it is a simulated Kiosk: no figure of this run is of a"
            " real one",
            url,
        )
    return connection


def _embedded(options: Options, resources: ExitStack) -> EmbeddedKiosk:
    """The simulated Kiosk, not yet started."""
    folder = Address.parse(options.files.storage_bucket).folder
    logger.warning("SIMULATED: no host is set, so these jobs run on the simulated Kiosk")
    embedded = EmbeddedKiosk("--folder", str(folder))
    resources.callback(embedded.stop)
    return embedded


def _found(options: Options) -> str:
    """The base URL to use of the Kiosk at ``options.host``."""
    host = options.host or ""
    proxies.warn_of_unused(host)
    limit_s = options.request_timeout_s
    with announcing(f"waiting for an answer from {host}, at most {limit_s:g} s (REQUEST_TIMEOUT)"):
        return find_base_url(host, request_timeout_s=limit_s)


def _check(connection: Connection, requests: Iterable[JobRequest], limit_s: float) -> None:
    """Ask for the job types and models of ``requests``; without any, that it is well."""
    wanted = {(r.job_type, r.model_name, r.model_version) for r in requests}
    with announcing(
        f"waiting for the Kiosk's job types and models from {connection.url}, at most {limit_s:g} s"
        " a request (REQUEST_TIMEOUT)"
    ):
        for job_type, model, version in sorted(wanted):
            for warning in check_kiosk(connection.kiosk, job_type, model, version):
                logger.warning("%s", warning)
    if not wanted:
        with contextlib.suppress(KioskError):  # the first job tells more
            connection.kiosk.health()
