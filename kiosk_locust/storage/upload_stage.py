"""A ticket's file on its way to the Kiosk, before its job is submitted.

Uploading is idempotent up to the submission: whatever befalls it, the file is uploaded once more.
So it is tried again after every fault that may pass, and a job is submitted only when it is
durable that the upload is over; whoever takes a ticket up without that knows that it was not
submitted. A file that was sent whole and not answered may have been stored, and each try may leave
one more copy of it: such tries are few.
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

#: Uploads of one file whose names the run has had already. Each is sent under a name of its own,
#: so what names the second one as an earlier one does not go by names, and never will.
MOST_REUSED = 5
#: A file that was sent whole and not answered is sent so often at most.
MOST_UNANSWERED = 3


class Uploader(Protocol):
    """What brings a file to the Kiosk."""

    def upload(self, record: Record, wanted: Callable[[], bool]) -> Upload:
        """Upload the file of a record's ticket.

        Raises KioskError, BucketError, InputError, and Withdrawn once ``wanted`` says no.
        """


class Delivery:
    """One file's way; ``alarm`` ends a rest early, ``budget_s`` is how long it may take.

    After a try that was not answered it rests by ``slow_backoff``, so that a frontend which
    restarts is surely back before the last one. ``on_failure`` is told of each error.
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
        """Upload the record's file, and return once that is durable; else how its ticket ends."""
        budget = Budget(self._clock, self._budget_s)
        reused = unanswered = 0
        while wanted():
            began_at = self._clock.now()
            try:
                self._keep(record, self._uploader.upload(record, wanted))
            except Withdrawn:
                break
            except ReusedName as error:
                reused += 1
                if reused == MOST_REUSED:
                    return Outcome.ERROR, f"not uploaded: {error}, {reused} times in a row"
                self._clock.wait(self._alarm, self._backoff.delay(error))
            except (KioskError, BucketError, InputError) as error:
                failed = Upload(began_at, self._clock.now(), 0, error=str(error))
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
        left = _copies(unanswered)
        return Outcome.UNFINISHED, f"the run ended before its file was uploaded{left}"

    def _keep(self, record: Record, upload: Upload) -> None:
        """Return once the upload is durable; raises ReusedName where its name is not new."""
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
    """How a ticket ends whose upload failed; None: another try may do better.

    ``unanswered`` is how often its file was sent whole without an answer.
    """
    copies = _copies(unanswered)
    if isinstance(error, Refused):
        return Outcome.REJECTED, f"its file was refused: {error}{copies}"
    if unanswered >= MOST_UNANSWERED and is_unanswered(error):
        return Outcome.ERROR, (
            f"perhaps uploaded: its file was sent whole {unanswered} times and not answered"
            f"{copies}; likely cause: {UNIFORM_ACCESS}; the last error: {error}"
        )
    lasts = isinstance(error, Redirected | InputError)
    if isinstance(error, BucketError) and not isinstance(error, BucketUnreachable):
        lasts = True
    if lasts or budget.is_spent:
        return Outcome.ERROR, f"not uploaded: {error}{copies}"
    return None


def _copies(unanswered: int) -> str:
    """The copies that tries without an answer may have left, for a reason."""
    if not unanswered:
        return ""
    copies = "1 copy" if unanswered == 1 else f"{unanswered:,} copies"
    return f"; up to {copies} of it may be left in the bucket (uploads/)"
