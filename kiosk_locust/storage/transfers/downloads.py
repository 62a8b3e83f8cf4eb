"""What jobs made, fetched beside the jobs that still go on: a few at once, each for itself."""

from __future__ import annotations

import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import gevent
from gevent.event import Event
from gevent.pool import Group

from kiosk_locust import events
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.client.retry import Backoff
from kiosk_locust.clock import Clock
from kiosk_locust.errors import BucketError, BucketUnreachable, DownloadError
from kiosk_locust.filesystem.symlinks import leads_out
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.model.record import Download, Outcome, Record
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket import Address, Bucket, open_bucket
from kiosk_locust.storage.bucket.address import split_object
from kiosk_locust.storage.transfers.fetching import Fetch, session
from kiosk_locust.storage.transfers.naming import result_name
from kiosk_locust.storage.transfers.reach import Reach

logger = logging.getLogger(__name__)

TRIES = 5
#: While nothing arrives at all, tries go on for so long, so that a short outage costs no result.
PATIENCE_S = 60.0
#: Downloads that are cut off at the end of a run only say so; that takes no time.
CUT_LIMIT_S = 5.0
LEADS_OUT = (
    "a link that leads out of that folder: no result is written through it; delete it, or name"
    " another folder by OUTPUT_DIR"
)
ENDED_FIRST = "the run ended before it was there"


class Downloads:
    """Fetches into ``folder``, ``at_once`` at a time, from hosts within ``reach``.

    With ``buckets``, gs:// addresses are of those alone, by their names: they are read with this
    machine's login. None may stand still for ``timeout_s``. While none arrives they are tried for
    ``patience_s``, and a few times in any case.
    """

    def __init__(
        self,
        folder: Path,
        *,
        at_once: int,
        timeout_s: float,
        reach: Reach,
        clock: Clock,
        rng: random.Random,
        patience_s: float = PATIENCE_S,
        calls: CallFailures | None = None,
        buckets: Collection[str] | None = None,
    ) -> None:
        self._calls = calls or CallFailures(clock)
        self._folder = folder
        self._timeout_s = timeout_s
        self._clock = clock
        self._rng = rng
        self._patience_s = patience_s
        self._http = session(at_once, reach)
        self._at_once = at_once
        self._waiting: deque[Record] = deque()
        self._buckets: dict[str, Bucket] = {}
        self._allowed = buckets
        self._pool = Group()
        self._working = 0  # greenlets that fetch one after the other
        self._failing_since: float | None = None  # the first failure since something arrived
        self._idle = Event()
        self._idle.set()

    def begin(self, record: Record) -> None:
        """Fetch what a job that is closed has made, if it made something; returns at once."""
        if record.outcome not in (Outcome.DONE, Outcome.PARTIAL):
            return
        self._idle.clear()
        self._waiting.append(record)
        if self._working < self._at_once:
            self._working += 1
            self._pool.spawn(self._work)

    def finish(self, within_s: float, hurry: Event) -> None:
        """Wait for what was begun, at most so long and until ``hurry`` is set; cut off the rest."""
        if not self._idle.is_set():
            logger.info("waiting for downloads, for at most %g s", within_s)
        waiting = gevent.spawn(self._idle.wait)
        gevent.wait([waiting, hurry], timeout=within_s, count=1)
        waiting.kill()
        rest, self._waiting = self._waiting, deque()
        self._pool.kill(timeout=CUT_LIMIT_S)
        self._working = 0  # one that was cut off before its first step could not say so
        for record in rest:
            now = self._clock.now()
            self._tell(record, Download(now, now, 0, 0, error=ENDED_FIRST))
        self._idle.set()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        for bucket in self._buckets.values():
            bucket.close()

    def _work(self) -> None:
        try:
            while self._waiting:
                record = self._waiting.popleft()
                self._tell(record, self._download(record))
        finally:
            self._working -= 1
            if not self._working:
                self._idle.set()

    def _tell(self, record: Record, download: Download) -> None:
        if download.error:
            logger.warning("the result of ticket %d: %s", record.ticket.id, download.error)
        events.job_downloaded.fire(record=record, download=download)

    def _download(self, record: Record) -> Download:
        """Fetch one; whatever goes wrong is on what is returned."""
        url = record.snapshot.fields.get("output_url", "") if record.snapshot else ""
        path = self._folder / result_name(record, url)
        began_at = self._clock.now()
        size, tries, error = 0, 0, ""
        failed_at: float | None = None
        try:
            fetch = self._fetch(url, path)
        except DownloadError as unfit:
            return Download(began_at, self._clock.now(), 0, 0, error=str(unfit))
        backoff = Backoff(self._rng)
        try:
            for tries in count(1):
                try:
                    size, error = self._watched(fetch), ""
                    self._failing_since = None
                    break
                except DownloadError as failure:
                    error = str(failure)
                    failed_at = failed_at or self._clock.now()
                    if not failure.may_pass or not self._may_try_again(tries, failed_at):
                        break
                except Exception as fault:
                    logger.exception("a fault while a result was downloaded")
                    error = f"a fault of kiosk_locust: {fault!r}"
                    break
                self._clock.sleep(backoff.delay())
        except gevent.GreenletExit:
            error = f"{ENDED_FIRST}; the last error: {error}" if error else ENDED_FIRST
        if error:
            with contextlib.suppress(OSError):  # nothing half is left behind
                path.with_name(f"{path.name}.part").unlink(missing_ok=True)
        told = "" if error else str(path)
        return Download(began_at, self._clock.now(), size, tries, told, error)

    def _watched(self, fetch: Callable[[], int]) -> int:
        """Try once, and have it known how that ends."""
        with (
            self._calls.trying(TroubleKind.DOWNLOAD) as pending,
            transfer_progress.watched(pending),
        ):
            return fetch()

    def _may_try_again(self, tries: int, failed_at: float) -> bool:
        """A few times in any case, and for longer through an outage that befalls all.

        ``failed_at`` is when this one failed first. However many there are, an outage that does
        not pass costs that patience once.
        """
        if self._failing_since is None:
            self._failing_since = failed_at
        waited_s = self._clock.now() - min(failed_at, self._failing_since)
        return tries < TRIES or waited_s < self._patience_s

    def _fetch(self, url: str, path: Path) -> Callable[[], int]:
        """What tries once, and gives the file's bytes; DownloadError for unfit addresses.

        Nor is anything written where the folder has become a link to elsewhere.
        """
        if leads_out(self._folder):
            what = f"{self._folder} is {LEADS_OUT}"
            raise DownloadError(what, may_pass=False)
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            scheme = "?"
        if scheme == "gs" and (found := split_object(url)):
            return partial(_get, self._bucket(found[0]), found[1], path)
        if scheme not in ("http", "https"):
            shown = excerpt(url.partition("?")[0])
            what = f"{shown!r} as output_url, which is no address" if url else "no output_url"
            raise DownloadError(f"the Kiosk gave {what}", may_pass=False)
        return Fetch(self._http, url, path, timeout_s=self._timeout_s)

    def _bucket(self, address: Address) -> Bucket:
        if self._allowed is not None and address.name not in self._allowed:
            raise DownloadError(
                f"{address.url} is read with this machine's login only for a Kiosk that whoever"
                " started the process named: set API_HOST, or STORAGE_BUCKET to that bucket",
                may_pass=False,
            )
        try:
            return self._buckets.setdefault(address.name, open_bucket(address))
        except BucketError as error:
            raise DownloadError(str(error), may_pass=False) from error


def _get(bucket: Bucket, name: str, path: Path) -> int:
    """A bucket's file, whose own client tries again and checks what came."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bucket.get(name, path)
        return path.stat().st_size
    except BucketError as error:
        may_pass = isinstance(error, BucketUnreachable)
        raise DownloadError(str(error), may_pass=may_pass) from error
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written: {error.strerror}", may_pass=False
        ) from error
