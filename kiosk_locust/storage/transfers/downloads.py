"""Downloads of results during a run: a few at once, each independent of the others."""

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
#: While no download succeeds, tries continue for this time (s), so that a short outage costs no
#: result.
PATIENCE_S = 60.0
#: Time limit for interrupted downloads at the end of a run, which only report it.
CUT_LIMIT_S = 5.0
LEADS_OUT = (
    "a link that leads out of that folder: no result is written through it; delete it, or name"
    " another folder by OUTPUT_DIR"
)
ENDED_FIRST = "the run ended before it was there"

#: Receives a download's end, successful or not.
OnEnd = Callable[[Record, Download], None]


class Downloads:
    """Downloader into ``folder``, ``at_once`` files at a time, from hosts within ``reach``.

    With ``buckets``, gs:// addresses are limited to those names: they are read with this machine's
    login. A download may stall for ``timeout_s`` at most. While none succeeds, tries continue for
    ``patience_s``, and are repeated a few times in any case.
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
        self._waiting: deque[tuple[Record, OnEnd]] = deque()
        self._buckets: dict[str, Bucket] = {}
        self._allowed = buckets
        self._pool = Group()
        self._workers = 0  # greenlets that download in sequence
        self._failing_since: float | None = None  # first failure since the last success
        self._idle = Event()
        self._idle.set()

    def begin(self, record: Record, on_end: OnEnd) -> None:
        """Start downloading the result of a closed job, if it has one; does not block.

        ``on_end`` is called at its end, successful or not.
        """
        if record.outcome not in (Outcome.DONE, Outcome.PARTIAL):
            return
        self._idle.clear()
        self._waiting.append((record, on_end))
        if self._workers < self._at_once:
            self._workers += 1
            self._pool.spawn(self._work)

    def finish(self, within_s: float, hurry: Event) -> None:
        """Wait for downloads, up to ``within_s`` or until ``hurry`` is set; cut off the rest."""
        if not self._idle.is_set():
            logger.info("waiting for downloads, for at most %g s", within_s)
        waiting = gevent.spawn(self._idle.wait)
        gevent.wait([waiting, hurry], timeout=within_s, count=1)
        waiting.kill()
        unstarted, self._waiting = self._waiting, deque()
        self._pool.kill(timeout=CUT_LIMIT_S)
        self._workers = 0  # a greenlet killed before its first step could not count down
        for record, on_end in unstarted:
            now = self._clock.now()
            _end(record, Download(now, now, 0, 0, error=ENDED_FIRST), on_end)
        self._idle.set()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        for bucket in self._buckets.values():
            bucket.close()

    def _work(self) -> None:
        try:
            while self._waiting:
                record, on_end = self._waiting.popleft()
                _end(record, self._download(record), on_end)
        finally:
            self._workers -= 1
            if not self._workers:
                self._idle.set()

    def _download(self, record: Record) -> Download:
        """Download one result; a failure is part of the return value."""
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
            with contextlib.suppress(OSError):  # leave no partial file
                path.with_name(f"{path.name}.part").unlink(missing_ok=True)
        saved_path = "" if error else str(path)
        return Download(began_at, self._clock.now(), size, tries, saved_path, error)

    def _watched(self, fetch: Callable[[], int]) -> int:
        """Try once, and report the result to the call statistics."""
        with (
            self._calls.trying(TroubleKind.DOWNLOAD) as pending,
            transfer_progress.watched(pending),
        ):
            return fetch()

    def _may_try_again(self, tries: int, failed_at: float) -> bool:
        """Allow a few tries in any case, and more during a general outage.

        ``failed_at`` is the time of this download's first failure. A permanent outage costs the
        patience only once for all downloads.
        """
        if self._failing_since is None:
            self._failing_since = failed_at
        waited_s = self._clock.now() - min(failed_at, self._failing_since)
        return tries < TRIES or waited_s < self._patience_s

    def _fetch(self, url: str, path: Path) -> Callable[[], int]:
        """Function that tries once and returns the file's bytes.

        Raises:
            DownloadError: The address is unusable, or the folder has become a link to elsewhere.

        """
        if leads_out(self._folder):
            problem = f"{self._folder} is {LEADS_OUT}"
            raise DownloadError(problem, may_pass=False)
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            scheme = "?"
        if scheme == "gs" and (object_parts := split_object(url)):
            return partial(_get, self._bucket(object_parts[0]), object_parts[1], path)
        if scheme not in ("http", "https"):
            shown = excerpt(url.partition("?")[0])
            problem = f"{shown!r} as output_url, which is no address" if url else "no output_url"
            raise DownloadError(f"the Kiosk gave {problem}", may_pass=False)
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


def _end(record: Record, download: Download, on_end: OnEnd) -> None:
    if download.error:
        logger.warning("the result of ticket %d: %s", record.ticket.id, download.error)
    on_end(record, download)


def _get(bucket: Bucket, name: str, path: Path) -> int:
    """Download from a bucket, whose client retries and verifies by itself."""
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
