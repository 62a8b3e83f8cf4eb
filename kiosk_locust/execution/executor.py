"""A process's share of a run: users that take tickets, jobs in flight, and how that ends."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import NamedTuple

import gevent
from gevent.event import Event
from gevent.pool import Group

from kiosk_locust.callbacks import RAISED, ends_run
from kiosk_locust.client.kiosk import Kiosk
from kiosk_locust.clock import Clock
from kiosk_locust.execution.bus import JobBus
from kiosk_locust.execution.job import Ending, Interrupted, Job, JobServices, close
from kiosk_locust.execution.poll_timer import Rests
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.execution.waiting_users import WaitingUsers
from kiosk_locust.model.options import Options
from kiosk_locust.model.ports import ALREADY_DURABLE, Durable, JobLog, SubmissionGate, TicketQueue
from kiosk_locust.model.record import Download, JobRequest, Outcome, Record, Ticket
from kiosk_locust.model.user_mix import Mix
from kiosk_locust.storage.transfers.downloads import Downloads
from kiosk_locust.storage.upload_stage import Uploader

logger = logging.getLogger(__name__)

#: At the end each job in flight is looked at once more, so that none counts as unfinished that
#: has long been done; that takes a request each, and no longer than this.
LAST_LOOK_S = 3.0
#: Interrupted jobs only close their records; whatever holds them up longer is a fault.
INTERRUPT_LIMIT_S = 10.0

#: What a user of the class with that name wants to submit for a ticket.
RequestFor = Callable[[str, Ticket], JobRequest]


class _Leased(NamedTuple):
    """A ticket's record, its lease, and why it has nothing to submit."""

    record: Record
    lease: Durable
    fault: str
    taken_by: object = None  # the greenlet of the user, whom listeners are told of


class Share:
    """The part of a run that lives in this process, whether ``log`` and ``queue`` do or not.

    ``gate`` must let nothing be submitted once ``state.stopping`` is set, which `drain` does.

    ``mix`` says of which user class a ticket's job is, whichever user takes it. ``recall`` gives
    the record of a ticket that was tried before what it had by then.
    ``uploader`` and ``downloads`` move the files of jobs, where that is wanted.
    """

    def __init__(
        self,
        options: Options,
        state: RunState,
        *,
        log: JobLog,
        bus: JobBus,
        queue: TicketQueue,
        gate: SubmissionGate,
        kiosk: Kiosk,
        clock: Clock,
        rng: random.Random,
        mix: Mix,
        recall: Callable[[Record], None],
        uploader: Uploader | None = None,
        downloads: Downloads | None = None,
    ) -> None:
        self.options = options
        self.state = state
        self._mix = mix
        self._recall = recall
        self._log = log
        self._bus = bus
        self._queue = queue
        self._clock = clock
        self._services = JobServices(
            kiosk, log, bus, gate, options, clock, rng, Rests(clock).rest, uploader
        )
        self._downloads = downloads
        self._jobs = Group()
        self._lives: dict[int, Job] = {}  # jobs in flight by ticket
        self._users = WaitingUsers(queue, clock, state.stopping)
        self._asked: dict[int, JobRequest] = {}  # for tickets that were given back

    # -- while it goes on

    def work(self, request_for: RequestFor) -> None:
        """What a user does: take a ticket, wait until it is due, see its job through.

        When there are no more tickets, it waits to be ended by Locust. A user that is killed
        gives back a ticket that is not due yet; a job under way goes on without it, until
        another user adopts it instead of beginning a new one.
        """
        while (orphan := self._users.next_orphan()) is not None:  # one that ended is false
            self._see_through(orphan)
        try:
            ticket = self._queue.take()
        except BaseException:
            self._users.rouse_one()  # what was meant for this user is another's
            raise
        if ticket is None:
            Event().wait()  # for ever: Locust ends its users
            return
        leased = None
        try:
            leased = self._lease(ticket, request_for)
            has_come = self._users.await_slot(ticket)
        except BaseException as error:
            self._give_back(ticket, leased)
            if isinstance(error, Exception):
                self.state.fail(error)
            raise
        if has_come:
            self._see_through(self._jobs.spawn(self._live, leased))
        else:
            self._give_back(ticket, leased)

    def _see_through(self, job: gevent.Greenlet) -> None:
        """Wait for a job's end; who is killed meanwhile leaves it behind."""
        try:
            job.join()
        except BaseException:
            if not job.dead:
                self._users.leave(job)
            raise

    def _lease(self, ticket: Ticket, request_for: RequestFor) -> _Leased:
        """Lease a ticket for what its user class wants to submit, if it can say so.

        It is asked once for a ticket, though users may have to give it back in between.
        """
        now = self._clock.now()
        fault, user_class = "", self._mix.class_of(ticket.id)
        try:
            request = self._asked.pop(ticket.id, None) or request_for(user_class, ticket)
        except RAISED as error:
            if not ends_run(f"{user_class}.request", error):
                logger.exception("%s.request raised", user_class)
            fault = f"{user_class}.request raised {error!r}"
            request = JobRequest("", ticket.file, "")
        record = Record(ticket, user_class, request, now)
        self._recall(record)
        return _Leased(record, self._log.lease(record), fault, gevent.getcurrent())

    def _give_back(self, ticket: Ticket, leased: _Leased | None) -> None:
        if leased and not leased.fault:
            self._asked[ticket.id] = leased.record.request
        self._queue.give_back(ticket)
        self._users.rouse_one()

    def _poll_on(self, record: Record) -> gevent.Greenlet:
        """Have a job looked after that was submitted already."""
        return self._jobs.spawn(self._live, _Leased(record, ALREADY_DURABLE, ""))

    def _live(self, leased: _Leased) -> None:
        record = leased.record
        try:
            if leased.fault:
                ending = Ending(Outcome.ERROR, leased.fault)
                close(record, ending, self._clock.now(), self._log, self._bus)
            else:
                job = self._lives[record.ticket.id] = Job(record, self._services, leased.lease)
                job.run()
        except gevent.GreenletExit:  # nobody kills jobs so: a listener of their end raised it
            logger.error("a listener of job_closed raised GreenletExit")  # noqa: TRY400
        except Exception as error:  # noqa: BLE001  whatever it is, the run must not go on unseen
            self.state.fail(error)
        finally:
            self._lives.pop(record.ticket.id, None)
            self.state.count(record.outcome)
            if self._downloads:
                self._downloads.begin(record, self._downloaded)
            self._queue.closed(record.ticket)

    def _downloaded(self, record: Record, download: Download) -> None:
        self._log.downloaded(record, download)
        self._bus.downloaded(record, download)

    # -- the end

    def drain(self, ended_by: str, grace_s: float) -> None:
        """Let jobs in flight end within ``grace_s``, close the rest as unfinished.

        Idempotent: whoever calls it later just waits until it is over.
        """
        self.state.drain(ended_by, lambda: self._close_all(grace_s))

    def _close_all(self, grace_s: float) -> None:
        self._stop_submitting()
        self._wait_for_jobs(grace_s)
        interrupted = Interrupted(f"the run was ended by {self.state.ended_by}")
        self._jobs.kill(interrupted, timeout=INTERRUPT_LIMIT_S)
        self._finish_downloads(grace_s)
        self._close_the_rest()

    def _finish_downloads(self, within_s: float) -> None:
        if self._downloads:
            self._downloads.finish(within_s, self.state.given_up)

    def _stop_submitting(self) -> None:
        """No ticket is taken or sent from now on; who waits to do so does not any longer."""
        self._queue.stop()
        self._users.rouse_all()
        for job in tuple(self._lives.values()):
            job.stop_submitting()

    def _wait_for_jobs(self, grace_s: float) -> None:
        """Give jobs in flight ``grace_s`` to end, and then take one more look at each."""
        if self._jobs:
            logger.info(
                "ended by %s: %d jobs in flight have %g s to end",
                self.state.ended_by,
                len(self._jobs),
                grace_s,
            )
        idle = gevent.spawn(self._queue.wait_idle)
        gevent.wait([idle, self.state.given_up], timeout=grace_s, count=1)
        if grace_s and not self.state.given_up.is_set():
            for job in tuple(self._lives.values()):
                job.look_once_more()
            gevent.wait([idle, self.state.given_up], timeout=LAST_LOOK_S, count=1)
        idle.kill()

    def _close_the_rest(self) -> None:
        """See to the tickets that no job was made for, and to those of users that hang."""
