"""Upload of a ticket's file to the Kiosk, before its job is submitted.

Uploading is idempotent up to the submission: after any failure the file is uploaded again. So it is
retried after every transient error, and a job is submitted only once the upload is durable in the
ledger; a resumed ticket without that record was not submitted. A file that was sent completely but
not answered may have been stored, and each retry may leave one more copy, so such retries are few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from gevent.event import Event

from kiosk_locust.client.call_advice import UNIFORM_ACCESS, is_unanswered
from kiosk_locust.client.retry import Backoff, Budget
from kiosk_locust.clock import Clock
from kiosk_locust.errors import (
    BucketError,
    BucketUnreachable,
    InputError,
    KioskError,
    Redirected,
    Refused,
    ReusedName,
    Withdrawn,
)
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.model.ports import JobLog
from kiosk_locust.model.record import Outcome, Record, Upload

#: Retries of a file whose object names the run already had. Each is sent under a unique name, so a
#: server that repeats a name once ignores names, and will repeat it.
MOST_REUSED = 5
#: Most tries of a file that is sent completely but not answered.
MOST_UNANSWERED = 3


class Uploader(Protocol):
    """Uploader of files to the Kiosk."""

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:
        """Upload the file of a record's ticket.

        Raises:
            KioskError: The frontend failed.
            BucketError: The bucket failed.
            InputError: The file cannot be read.
            Withdrawn: ``wanted`` returned False.

        """


class Delivery:
    """Upload of one file with retries.

    ``alarm`` ends a pause early, ``budget_s`` limits the time of all tries. After a try without an
    answer it pauses by ``slow_backoff``, so that a restarting frontend is back before the last try.
    ``on_failure`` receives each error.
    """

    def __init__(
        self,
        uploader: Uploader,
        log: JobLog,
        *,
        clock: Clock,
        backoff: Backoff,
        alarm: Event,
        budget_s: float,
        slow_backoff: Backoff | None = None,
        on_failure: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._uploader = uploader
        self._log = log
        self._clock = clock
        self._backoff = backoff
        self._alarm = alarm
        self._budget_s = budget_s
        self._slow_backoff = slow_backoff or backoff
        self._on_failure = on_failure

    def make(self, record: Record, wanted: Callable[[], bool]) -> tuple[Outcome, str] | None:
        """Upload the record's file; returns None once that is durable, else the outcome."""
        budget = Budget(self._clock, self._budget_s)
        reused = unanswered = 0
        while wanted():
            started_at = self._clock.now()
            try:
                self._record_upload(record, self._uploader.upload(record, wanted))
            except Withdrawn:
                break
            except ReusedName as error:
                reused += 1
                if reused == MOST_REUSED:
                    return Outcome.ERROR, f"not uploaded: {error}, {reused} times in a row"
                self._clock.wait(self._alarm, self._backoff.delay(error))
            except (KioskError, BucketError, InputError) as error:
                failed = Upload(started_at, self._clock.now(), 0, error=str(error))
                self._log.uploaded(record, failed)
                self._on_failure(error)
                no_answer = is_unanswered(error)
                unanswered += no_answer
                if ending := _ending(error, budget, unanswered):
                    return ending
                backoff = self._slow_backoff if no_answer else self._backoff
                self._clock.wait(self._alarm, backoff.delay(error))
            else:
                self._backoff.reset()
                return None
        copies = _copies(unanswered)
        return Outcome.UNFINISHED, f"the run ended before its file was uploaded{copies}"

    def _record_upload(self, record: Record, upload: Upload) -> None:
        """Return once the upload is durable.

        Raises:
            ReusedName: An earlier upload of the run has its name.

        """
        self._log.uploaded(record, upload)
        self._log.settle()
        if self._log.is_reused(record, upload):
            raise ReusedName(
                f"it was given the name {excerpt(upload.name)}, which an earlier upload of this run"
                " has, so that a job on it could work on another file; UPLOAD_VIA=bucket chooses"
                " names by itself"
            )
        record.upload = upload
        record.request = replace(record.request, uploaded_name=upload.name)


def _ending(
    error: KioskError | BucketError | InputError, budget: Budget, unanswered: int
) -> tuple[Outcome, str] | None:
    """Outcome of a ticket whose upload failed; None: try again.

    ``unanswered`` counts the tries in which the file was sent completely without an answer.
    """
    copies = _copies(unanswered)
    if isinstance(error, Refused):
        return Outcome.REJECTED, f"its file was refused: {error}{copies}"
    if unanswered >= MOST_UNANSWERED and is_unanswered(error):
        return Outcome.ERROR, (
            f"perhaps uploaded: its file was sent whole {unanswered} times and not answered"
            f"{copies}; likely cause: {UNIFORM_ACCESS}; the last error: {error}"
        )
    is_permanent = isinstance(error, Redirected | InputError)
    if isinstance(error, BucketError) and not isinstance(error, BucketUnreachable):
        is_permanent = True
    if is_permanent or budget.is_spent:
        return Outcome.ERROR, f"not uploaded: {error}{copies}"
    return None


def _copies(unanswered: int) -> str:
    """Text about copies that tries without an answer may have left."""
    if not unanswered:
        return ""
    copies = "1 copy" if unanswered == 1 else f"{unanswered:,} copies"
    return f"; up to {copies} of it may be left in the bucket (uploads/)"
