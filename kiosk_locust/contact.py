"""A run's Kiosk and bucket: reached, and asked before it starts whether they can serve it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable

from kiosk_locust.archive import Archive
from kiosk_locust.bucket import Address
from kiosk_locust.bucket_preflight import open_for, with_images
from kiosk_locust.clock import Clock
from kiosk_locust.embedded import EmbeddedKiosk
from kiosk_locust.errors import KioskError, KioskLocustError, PreflightError
from kiosk_locust.http.exchange import RequestSample
from kiosk_locust.http.transport import Transport
from kiosk_locust.kiosk import Kiosk
from kiosk_locust.options import Options
from kiosk_locust.preflight import check_kiosk, find_base_url, pool_warning
from kiosk_locust.record import JobRequest

logger = logging.getLogger(__name__)


class Contact:
    """Made by ``make``; ``close`` lets go of all of it, the simulated Kiosk, too.

    ``options`` are those of the run, with the images of ZIPs in the bucket; ``archive`` takes its
    files in the end, if that is wanted.
    """

    def __init__(
        self, options: Options, clock: Clock, on_request: Callable[[RequestSample], None]
    ) -> None:
        self.options = options
        self.archive: Archive | None = None
        self.embedded: EmbeddedKiosk | None = None
        if options.host is None:
            folder = Address.parse(options.files.storage_bucket).folder
            self.embedded = EmbeddedKiosk("--folder", str(folder))
        self._clock = clock
        self._on_request = on_request
        self._closers: list[Callable[[], None]] = []

    def make(self, requests: Iterable[JobRequest]) -> None:
        """Reach both and ask whether they can run ``requests``.

        Raises KioskLocustError where they cannot; what ails both is told at once.
        """
        requests = list(requests)
        refusals = []
        for opening in (self._open_bucket, self._open_kiosk):
            try:
                opening(requests)
            except KioskLocustError as error:
                refusals.append(error)
        if len(refusals) == 1:
            raise refusals[0]
        if refusals:
            raise PreflightError("\n".join(str(error) for error in refusals))
        self._check_pool()

    def close(self) -> None:
        """Let go of what was opened."""
        while self._closers:
            self._closers.pop()()

    def _open_bucket(self, requests: Iterable[JobRequest]) -> None:
        """Look at the bucket, and note where the run's files go at its end."""
        bucket = open_for(self.options, requests)
        if bucket is None:
            return
        self._closers.append(bucket.close)
        self.options = with_images(self.options, bucket)
        files = self.options.files
        if files.upload_results:
            address = Address.parse(files.storage_bucket)
            self.archive = Archive(bucket, address, public=files.public_results)

    def _open_kiosk(self, requests: Iterable[JobRequest]) -> None:
        self.host = self._reach()
        transport = Transport(
            self.host,
            pool_size=self.options.pool_size,
            request_timeout_s=self.options.request_timeout_s,
            clock=self._clock,
            on_request=self._on_request,
        )
        self._closers.append(transport.close)
        self.kiosk = Kiosk(transport)
        wanted = {(r.job_type, r.model_name, r.model_version) for r in requests}
        for job_type, model, version in sorted(wanted):
            for warning in check_kiosk(self.kiosk, job_type, model, version):
                logger.warning("%s", warning)

    def _reach(self) -> str:
        """The base URL to use: of the Kiosk, or of a simulated one that is started here."""
        if self.embedded is not None:
            logger.warning("SIMULATED: no host is set, so these jobs run on the simulated Kiosk")
            self._closers.append(self.embedded.stop)
            return self.embedded.start()
        host = self.options.host or ""
        return find_base_url(host, request_timeout_s=self.options.request_timeout_s)

    def _check_pool(self) -> None:
        """Warn of a pool too small, by one request's time; one that fails tells nothing."""
        begun = self._clock.now()
        with contextlib.suppress(KioskError):
            self.kiosk.job_types()
            if warning := pool_warning(self.options, self._clock.now() - begun):
                logger.warning("%s", warning)
