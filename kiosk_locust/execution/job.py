"""The life of one job, from a ticket that is due to a closed record."""

from __future__ import annotations

import contextlib
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import gevent
from gevent.event import Event

from kiosk_locust.client.kiosk import Kiosk, Reading
from kiosk_locust.client.retry import Backoff, Budget, poll_interval_s
from kiosk_locust.clock import Clock
from kiosk_locust.errors import (
    BadAnswer,
    Busy,
    KioskError,
    LedgerError,
    NoAnswer,
    Redirected,
    RedisRefused,
    Refused,
    ServerFault,
    Timing,
    Unreachable,
    Withdrawn,
)
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.model.image_failures import main_reason
from kiosk_locust.model.interruptions import is_work
from kiosk_locust.model.job_hash import Snapshot
from kiosk_locust.model.job_metrics import failed_children, is_zip, measure, why_no_image
from kiosk_locust.model.options import Options
from kiosk_locust.model.ports import ALREADY_DURABLE, Durable, JobLog, SubmissionGate
from kiosk_locust.model.record import Attempt, AttemptResult, Outcome, Record, StatusChange
from kiosk_locust.model.zip_children import PACKING, Stall, is_later, phase_of
from kiosk_locust.storage.upload_stage import Delivery, Uploader

logger = logging.getLogger(__name__)

#: A submission that may have arrived is sent again at most so often: each may be a job more.
MAX_MAYBE_SUBMISSIONS = 3
#: They are few, so they lie far enough apart for an outage of 20 s to pass between them: each wait
#: is drawn from the upper half of its range, 7.5 to 15 s and then 15 to 30 s.
MAYBE_BASE_S = 15.0
MAYBE_LEAST = 0.5
#: The hash expires for tidiness only; more tries are not worth a busy Kiosk's time, nor does the
#: end of a run wait for one that asks to come back much later.
EXPIRE_TRIES = 3
EXPIRE_WAIT_S = 10.0
#: So many changes of a job's status are kept, and its final one: a Kiosk whose janitor queues a job
#: again and again makes some five each time, and one that invents statuses one at each poll.
MOST_CHANGES = 200


class Interrupted(BaseException):
    """Thrown into a job whose run ends first; no Exception, so that no handler eats it."""

    timing: Timing | None = None  # set by the transport, if it came in mid-request


class Ending(NamedTuple):
    """How a ticket is to be closed, and why."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class JobServices:
    """Everything that the jobs of a process share.

    ``uploader`` brings files to the Kiosk before their jobs are submitted. ``rest`` passes the time
    between polls: it returns after some seconds, or once the event is set.
    """

    kiosk: Kiosk
    log: JobLog
    bus: JobBus
    gate: SubmissionGate
    options: Options
    clock: Clock
    rng: random.Random
    rest: Callable[[Event, float], object]
    uploader: Uploader | None = None


class Job:
    """One job; ``run`` lives it. A record that has a job id is polled on, never submitted.

    ``leased`` is its ticket's lease: nothing is sent before that is durable.
    """

    __slots__ = (  # there may be twenty thousand of them
        "_alarm",
        "_backoff",
        "_is_adopted",
        "_is_last_look",
        "_is_overfull",
        "_last_error",
        "_leased",
        "_maybe_backoff",
        "_services",
        "_stall",
        "record",
    )

    def __init__(
        self, record: Record, services: JobServices, leased: Durable = ALREADY_DURABLE
    ) -> None:
        self.record = record
        self._services = services
        self._leased = leased
        self._backoff = Backoff(services.rng)
        self._maybe_backoff = Backoff(services.rng, base_s=MAYBE_BASE_S, least=MAYBE_LEAST)
        self._is_adopted = bool(record.job_id)
        self._alarm = Event()  # ends a rest early
        self._is_last_look = self._is_overfull = False
        self._last_error = ""  # of the call that it tries again and again
        self._stall: Stall | None = None

    def look_once_more(self) -> None:
        """The run is about to end: poll now, if it was submitted, and then close, final or not."""
        self._is_last_look = True
        self._alarm.set()

    def stop_submitting(self) -> None:
        """Rest no longer before another submission: the gate lets none through by now."""
        if not self.record.job_id:
            self._alarm.set()

    def run(self) -> None:
        """Submit, poll until final, close, expire; raises only what essential observers raise."""
        try:
            ending = self._with_last_error(self._deliver() or self._submit() or self._poll())
        except Interrupted as stop:
            ending = self._with_last_error(Ending(Outcome.UNFINISHED, str(stop)))
        except LedgerError as error:
            ending = Ending(Outcome.UNFINISHED, str(error))
        except Exception as error:
            self._close(Ending(Outcome.ERROR, f"a fault of kiosk_locust: {error!r}"))
            raise
        try:
            self._close(ending)
            self._expire()
        except (Interrupted, LedgerError) as error:
            if self._is_to_expire:
                self.record.expire_error = f"it was not told to expire: {error}"
                self._services.log.expire_failed(self.record)

    def _note(self, error: BaseException) -> None:
        """Keep the error of a call that is tried again, for the reason of a job that ends first."""
        self._last_error = str(error)

    def _with_last_error(self, ending: Ending) -> Ending:
        """The ending with the error of the calls that failed until then."""
        if not self._last_error or self._last_error in ending.reason:
            return ending
        return Ending(ending.outcome, f"{ending.reason}; the last error: {self._last_error}")

    # -- submit

    def _deliver(self) -> Ending | None:
        """Upload the job's file, if it is to be; None once that is durable."""
        if self.record.job_id or self._services.uploader is None:
            return None
        self._leased.wait()
        way = Delivery(
            self._services.uploader,
            self._services.log,
            clock=self._services.clock,
            backoff=Backoff(self._services.rng),
            alarm=self._alarm,
            budget_s=self._services.options.retry_budget_s,
            slow_backoff=self._maybe_backoff,
            on_failure=self._note,
        )
        ended = way.make(self.record, self._may_submit)
        if ended:
            return Ending(*ended)
        self._last_error = ""
        self._maybe_backoff.reset()  # it served the file
        return None

    def _submit(self) -> Ending | None:
        """Submit the job; None once it has an id. Each request is an attempt on the record."""
        if self.record.job_id:
            return None
        self._leased.wait()  # durable before anything is sent
        budget = Budget(self._services.clock, self._services.options.retry_budget_s)
        while self._may_submit():
            try:
                self._predict()
            except Withdrawn:
                self._services.gate.wait_open()
            except (Unreachable, Busy) as error:
                if isinstance(error, RedisRefused):
                    self._expire_orphan(error.orphan)
                if budget.is_spent:
                    return Ending(Outcome.ERROR, f"not submitted: {error}")
                self._services.clock.wait(self._alarm, self._backoff.delay(error))
            except Refused as error:
                return Ending(Outcome.REJECTED, str(error))
            except Redirected as error:
                return Ending(Outcome.ERROR, f"not submitted: {error}")
            except (NoAnswer, ServerFault, BadAnswer) as error:
                if not self._may_submit_again():
                    return Ending(Outcome.ERROR, f"perhaps submitted: {error}")
                self._services.clock.wait(self._alarm, self._maybe_backoff.delay(error))
                if self._may_submit():
                    # Whoever takes over if we die must know of this request.
                    self._services.log.settle()
            else:
                self._backoff.reset()
                self._last_error = ""
                return None
        maybe = "; an earlier request may have arrived" if self.record.ambiguous else ""
        return Ending(Outcome.UNFINISHED, f"the run ended before it was submitted{maybe}")

    def _predict(self) -> None:
        record = self.record
        asked_at = self._services.clock.now()
        try:
            submission = self._services.kiosk.predict(record.request, self._may_send)
        except Withdrawn:
            raise
        except KioskError as error:
            self._keep_failed_attempt(error, asked_at)
            self._note(error)
            raise
        except Interrupted as stop:
            self._keep_failed_attempt(_as_failure(stop), asked_at)
            raise
        exchange = submission.exchange
        record.job_id = submission.job_id
        record.submitted_at = exchange.sent_at
        self._keep_attempt(
            Attempt(
                len(record.attempts) + 1,
                exchange.asked_at,
                exchange.sent_at,
                exchange.received_at,
                AttemptResult.ACCEPTED,
                exchange.status,
                job_id=submission.job_id,
            )
        )
        self._services.log.submit(record)
        _tell(self._services.bus.submitted, record)

    def _may_submit(self) -> bool:
        return self._services.gate.may_submit(self.record.ticket)

    def _may_send(self) -> bool:
        return self._services.gate.may_send(self.record)

    def _keep_failed_attempt(self, error: KioskError, asked_at: float) -> None:
        timing = error.timing
        result = _result_of(error)
        self.record.ambiguous |= result is AttemptResult.MAYBE
        self._keep_attempt(
            Attempt(
                len(self.record.attempts) + 1,
                timing.asked_at if timing else asked_at,
                timing.sent_at if timing else None,
                timing.received_at if timing else None,
                result,
                getattr(error, "status", None),
                str(error),
            )
        )

    def _keep_attempt(self, attempt: Attempt) -> None:
        self.record.attempts.append(attempt)
        self._services.log.attempt(self.record, attempt)

    def _may_submit_again(self) -> bool:
        maybes = sum(a.result is AttemptResult.MAYBE for a in self.record.attempts)
        return self._services.options.on_ambiguous == "resubmit" and maybes < MAX_MAYBE_SUBMISSIONS

    # -- poll

    def _poll(self) -> Ending:
        """Poll until the status is final; the first time at a random phase of the interval."""
        started_at = self._services.clock.now()  # of a job that was taken up again, all counts anew
        if not self._is_adopted:
            started_at = self.record.submitted_at or started_at
            self.record.observed_after = started_at
        budget = Budget(self._services.clock, self._services.options.retry_budget_s)
        missing = False
        wait_s = self._services.rng.uniform(0, self._services.options.update_interval_s)
        while True:
            last_look = self._rest(started_at, wait_s)
            self.record.polls += 1
            try:
                reading = self._services.kiosk.read(self.record.job_id, zipped=self._is_zip_of_ours)
            except KioskError as error:
                self._note(error)
                if last_look:
                    return last_look
                if budget.is_spent:
                    return Ending(Outcome.ERROR, f"its status could not be read: {error}")
                wait_s = self._backoff.delay(error)
                continue
            self._backoff.reset()
            self._last_error = ""
            budget.reset()
            exists = reading.snapshot.exists
            ending = self._observe(reading) if exists else None
            del reading  # its body shall not be kept while the job rests
            if ending:
                return ending
            if exists:
                missing = False
            elif missing:  # twice in a row: one look may have hit a Redis that was failing over
                return Ending(Outcome.VANISHED, "the Kiosk no longer knows its hash")
            else:
                missing = True
            if last_look:
                return last_look
            wait_s = self._interval_s(started_at)

    def _interval_s(self, started_at: float) -> float:
        options = self._services.options
        age_s = self._services.clock.now() - started_at
        return poll_interval_s(age_s, options.update_interval_s, options.poll_backoff)

    def _rest(self, started_at: float, wait_s: float) -> Ending | None:
        """Rest before a poll; if that is the last one, how the job ends unless it is final."""
        limit_s = self._services.options.job_timeout_s
        left_s = math.inf if limit_s is None else started_at + limit_s - self._services.clock.now()
        self._services.rest(self._alarm, max(0.0, min(wait_s, left_s)))
        if self._is_last_look:
            return Ending(Outcome.UNFINISHED, "the run ended before it was final")
        if wait_s > left_s:
            since = "it was taken up again" if self._is_adopted else "its submission"
            return Ending(Outcome.TIMEOUT, f"not final {limit_s:g} s after {since}")
        return None

    def _observe(self, reading: Reading) -> Ending | None:
        """Take in one reading of the hash; an Ending once it is final."""
        record, snapshot, exchange = self.record, reading.snapshot, reading.exchange
        record.snapshot = snapshot
        # A job that was taken up may have had this status since its submission.
        after = record.observed_after or record.submitted_at or exchange.sent_at
        phase = self._phase(snapshot)
        if snapshot.status and self._is_news(snapshot, phase) and self._has_room(snapshot):
            change = StatusChange(
                snapshot.status,
                exchange.received_at,
                after,
                snapshot.time("updated_at"),
                snapshot.fields.get("updated_by", ""),
                phase,
            )
            record.changes.append(change)
            self._services.log.change(record, change)
            _tell(self._services.bus.status, record, change)
        if not snapshot.is_final:
            record.observed_after = exchange.sent_at
            return self._stalled(snapshot, exchange.received_at)
        record.observed_at = exchange.received_at
        reason = snapshot.fields.get("reason", "")
        if snapshot.status == "failed":
            return Ending(Outcome.FAILED, reason or "the Kiosk gave no reason")
        nothing = why_no_image(snapshot, record.request.image_name, record.job_id)
        failed = failed_children(snapshot)
        why = main_reason(snapshot, failed) if failed else ""
        if nothing:
            return Ending(Outcome.FAILED, _joined(nothing, reason or why))
        if failed:
            return Ending(Outcome.PARTIAL, reason or _joined(f"{failed} of its images failed", why))
        return Ending(Outcome.DONE)

    def _has_room(self, snapshot: Snapshot) -> bool:
        """Tell if one more change is kept."""
        count = len(self.record.changes)
        if count < MOST_CHANGES or snapshot.is_final:
            return True
        if not self._is_overfull:
            self._is_overfull = True
            logger.warning(
                "the status of ticket %d has changed %d times: further changes are not kept, but"
                " the last one",
                *(self.record.ticket.id, count),
            )
        return False

    def _stalled(self, snapshot: Snapshot, now: float) -> Ending | None:
        """An Ending for a ZIP that the Kiosk will never end."""
        if "children" not in snapshot.fields:  # most jobs
            return None
        if self._stall is None:
            self._stall = Stall()
        why = self._stall.look(snapshot, self.record.job_id, now)
        return Ending(Outcome.FAILED, why) if why else None

    @property
    def _is_zip_of_ours(self) -> bool:
        """True if a ZIP was submitted, whatever the Kiosk's id says."""
        return is_zip(self.record.request.image_name)

    @property
    def _is_zip(self) -> bool:
        return is_zip(self.record.request.image_name, self.record.job_id)

    def _phase(self, snapshot: Snapshot) -> str:
        """The phase of a ZIP; empty of an image."""
        if not self._is_zip:
            return ""
        last = self.record.changes[-1] if self.record.changes else None
        if last and last.phase == PACKING and last.status == snapshot.status:
            return PACKING  # its long lists need not be taken apart at each poll
        return phase_of(snapshot)

    def _is_news(self, snapshot: Snapshot, phase: str) -> bool:
        """Tells whether a reading has another status, another consumer or a later phase."""
        if snapshot.status != self.record.status:
            return True
        if not phase:
            return self._is_taken_over(snapshot)
        return is_later(phase, self.record.changes[-1].phase)

    def _is_taken_over(self, snapshot: Snapshot) -> bool:
        """Whether another consumer writes into an image's hash, whatever its status."""
        record, writer = self.record, snapshot.fields.get("updated_by", "")
        known = record.changes[-1].updated_by if record.changes else ""
        return bool(known and writer and writer != known) and is_work(snapshot.status)

    # -- close

    def _close(self, ending: Ending) -> None:
        services = self._services
        close(self.record, ending, services.clock.now(), services.log, services.bus)

    @property
    def _is_to_expire(self) -> bool:
        """Whether the hash is there, final, and to be told to expire."""
        snapshot = self.record.snapshot
        return snapshot is not None and snapshot.is_final and self._services.options.expire_s > 0

    def _expire(self) -> None:
        """Tell the hash to expire, once its record is durable; a failure is a note on it."""
        record, seconds = self.record, self._services.options.expire_s
        if not self._is_to_expire:
            return
        self._services.log.settle()
        for left in reversed(range(EXPIRE_TRIES)):
            try:
                known = self._services.kiosk.expire(record.job_id, seconds)
            except KioskError as error:
                record.expire_error = str(error)
                wait_s = self._backoff.delay(error)
                if not left or wait_s > EXPIRE_WAIT_S:
                    break
                self._services.clock.sleep(wait_s)
            else:
                record.expire_error = "" if known else "the Kiosk no longer knew its hash"
                break
        if record.expire_error:
            self._services.log.expire_failed(record)

    def _expire_orphan(self, key: str) -> None:
        """Tell a hash that stands in no queue to expire, once: its key is on the attempt."""
        request = self.record.request
        queues = (request.job_type, f"{request.job_type}-zip")
        if not self._services.options.expire_s or not any(
            key.startswith(f"{queue}:{request.image_name}:") for queue in queues
        ):
            return  # nothing was made, or not for this job
        with contextlib.suppress(KioskError):
            self._services.kiosk.expire(key, self._services.options.expire_s)


def _joined(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _tell(publish: Callable[..., None], *event: object) -> None:
    """Publish an event. GreenletExit is none of a job's own ends: only a listener raises it."""
    try:
        publish(*event)
    except gevent.GreenletExit:
        logger.error("a listener of job_%s raised GreenletExit", publish.__name__)  # noqa: TRY400


def close(record: Record, ending: Ending, now: float, log: JobLog, bus: JobBus) -> None:
    """Close a record at ``now`` (epoch seconds), write it, and then tell everybody.

    Raises what ``log`` and essential observers raise.
    """
    record.outcome, record.reason = ending
    record.closed_at = now
    write_closed(record, log, bus)


def write_closed(record: Record, log: JobLog, bus: JobBus) -> None:
    """Measure a closed record, write it, and then tell everybody; raises as `close` does."""
    measures = measure(record)
    log.close_ticket(record, measures)
    bus.closed(record, measures)


def _as_failure(stop: Interrupted) -> KioskError:
    """What an interruption in mid-submission means for the job: sent, or surely not."""
    sent = stop.timing is None or stop.timing.sent_at is not None
    error = NoAnswer(str(stop)) if sent else Unreachable(str(stop))
    error.timing = stop.timing
    return error


def _result_of(error: KioskError) -> AttemptResult:
    """What became of a submission that ended in ``error``."""
    if isinstance(error, Unreachable):
        return AttemptResult.NOT_SENT
    if isinstance(error, (Refused, Busy, Redirected)):
        return AttemptResult.REFUSED
    return AttemptResult.MAYBE
