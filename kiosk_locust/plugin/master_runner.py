"""Locust's master, made patient: its test goes on without workers, and users are where they are.

Locust ends its test when the last worker goes, never exits if it is headless, and gives no users
to a worker that comes back. Here the test goes on, and ``run`` with it, until one is back or
``worker_wait_s`` is over. Besides, Locust takes up to a minute to give the users of a lost worker
to others, since that would end jobs; here jobs outlive their users, so it is done at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent import getcurrent
from locust.exception import StopTest
from locust.rpc import Message
from locust.runners import (
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
)

from kiosk_locust.clock import Clock
from kiosk_locust.distributed.coordinator_run import MasterRun
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import RelayError, WorkerError
from kiosk_locust.formatting import units
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.plugin.locust_patches import SafeEnd

logger = logging.getLogger(__name__)

#: How often we look which workers there are.
LOOK_S = 0.1
#: A worker that was given users says hello at once; so many looks (15 s) it may take. They are
#: looks, not seconds: nothing is held against it while this process itself stands still.
HELLO_LOOKS = 150
#: So long workers may take to come, before a word on the wait for them.
WORKERS_S = 15.0


@dataclass
class _Look:
    """The run whose workers are looked after, and what earlier looks came to."""

    run: MasterRun
    clock: Clock
    gone_at: float | None = None  # no worker is left since then
    silent: dict[str, int] = field(default_factory=dict)  # looks at workers without a hello


class PatientMaster(SafeEnd, MasterRunner):
    """A master whose test ends when its run, or somebody, says so."""

    _run: MasterRun | None = None
    _spawned_at: frozenset[str] = frozenset()  # the workers that users were last spread over
    _stops: int = 0  # calls of `stop` that are going on
    _told_to_stop: tuple[str, ...] = ()  # Locust forgets workers while they stop
    _refused: frozenset[str] = frozenset()  # peers that had users and never said hello

    @staticmethod
    def made_of(runner: MasterRunner) -> PatientMaster:
        """The same runner, patient from now on; Locust itself makes only its own kind."""
        runner.__class__ = PatientMaster
        assert isinstance(runner, PatientMaster)  # noqa: S101  what was just set
        return runner

    def tell_of_wait(self, expected: int) -> None:
        """Say once which option bounds the wait for ``expected`` workers, if it takes long.

        Locust 2.47 logs a line a second meanwhile, without an end, and names none.
        """
        gevent.spawn_later(WORKERS_S, self._tell_of_wait, expected)

    def _tell_of_wait(self, expected: int) -> None:
        ready = len(self.clients.ready)
        if self.state == STATE_INIT and ready < expected:
            logger.warning(
                "the run waits for %s, of which %d came within %g s: see the others' logs, or end"
                " this by Ctrl-C; --expect-workers-max-wait <seconds> bounds the wait, which has no"
                " limit now",
                units.count(expected, "worker"),
                ready,
                WORKERS_S,
            )

    def serve(self, run: MasterRun, clock: Clock) -> None:
        """Have workers' messages reach ``run``, and keep it supplied with workers while it is on.

        An earlier run's messages are no longer heard.
        """
        listeners: Mapping[str, Callable[[str, object], None]] = {
            "kiosk_hello": run.on_hello,
            "kiosk_report": run.on_report,
        }
        for kind, listener in listeners.items():
            self.custom_messages.pop(kind, None)  # Locust lets nobody register twice
            self.register_message(kind, _unpacking(listener))
        self._run = run
        gevent.spawn(self._watch, run, clock)

    # -- what Locust decides by itself

    def handle_message(self, client_id: str, msg: Message) -> None:
        """Hear everybody but peers that are no workers of this plugin."""
        if client_id not in self._refused:
            super().handle_message(client_id, msg)
        elif msg.type == "client_ready":
            self.server.send_to_client(Message("quit", None, client_id))

    def start(self, *arguments: Any, **named: Any) -> None:
        """Spread the users over the workers that are there.

        Not where Locust's own greenlets want that in mid-run, as they do when a worker comes: it
        waits up to a second for reports, and no message of any worker would be heard meanwhile.
        We look which workers there are ourselves.
        """
        if self._is_in_locusts_own_greenlet and self._run and self._run.state.is_on:
            return
        self._spawned_at = self._active()
        try:
            super().start(*arguments, **named)
        except StopTest as refusal:
            if getcurrent() is self.shape_greenlet:
                raise  # Locust ends a test for that, but where a master begins one by itself
            self._end_refused(refusal)

    def _end_refused(self, refusal: StopTest) -> None:
        """What Locust's single process does when a test is not to be."""
        logger.error("%s", refusal)
        if self.environment.parsed_options and self.environment.parsed_options.headless:
            self.quit()
        else:
            self.update_state(STATE_STOPPED)  # so that the page shows why

    def stop(self, send_stop_to_client: bool = True) -> None:  # noqa: FBT001, FBT002  Locust's
        """End the test, unless it is only Locust that wants to, for want of workers."""
        if self._is_locusts_own_end:
            return
        if not self.take_stop_of_quit() and self.is_carried_out_elsewhere(
            "runner.stop()", self.stop
        ):
            return
        self._told_to_stop = tuple(self.clients)
        self._stops += 1
        try:
            with self.ending_here():
                super().stop(send_stop_to_client)
        finally:
            self._stops -= 1
        if self.state == STATE_STOPPING and not self._stops:
            # Locust waits for the next message, and with a lost worker perhaps for a minute.
            self.update_state(STATE_STOPPED)

    def quit(self) -> None:
        """As `stop`, and end every worker, those that are about to come back from a stop, too."""
        if self._is_locusts_own_end or self.is_carried_out_elsewhere("runner.quit()", self.quit):
            return
        for worker in self._told_to_stop:
            if worker not in self.clients:
                self.server.send_to_client(Message("quit", None, worker))
        with self.quitting():
            super().quit()

    def check_stopped(self) -> None:
        """Find out whether the test is over: not for want of workers, nor in mid-stop.

        The page would let the next test start, and the rest of the stop would end that one.
        """
        is_waiting = self._run and self._run.state.is_on and self.worker_count <= 0
        if not (is_waiting or self._stops):
            super().check_stopped()

    def update_state(self, new_state: str) -> None:
        """As Locust does, but a start that is overtaken by a stop must not call the test running.

        It waits up to a second for the workers' reports, and then says so whatever has happened.
        """
        if new_state != STATE_RUNNING or self.state in (STATE_SPAWNING, STATE_RUNNING):
            super().update_state(new_state)

    @property
    def _is_locusts_own_end(self) -> bool:
        """Whether it is Locust's own greenlets that end the test because no worker is left."""
        if self._run is None or not self._run.state.is_on or self.worker_count > 0:
            return False
        return self._is_in_locusts_own_greenlet

    @property
    def _is_in_locusts_own_greenlet(self) -> bool:
        return getcurrent() in self.greenlet and getcurrent() is not self.shape_greenlet

    # -- while the run is on

    def _watch(self, run: MasterRun, clock: Clock) -> None:
        """Look after the workers until the run is over, whatever one look ends with."""
        look = _Look(run, clock)
        is_told = False
        while run.state.is_on:
            try:
                if not self._goes_on(look):
                    return
            except Exception:
                if not is_told:
                    is_told = True
                    logger.exception("a fault of kiosk_locust: the look at the workers is repeated")
            clock.sleep(LOOK_S)

    def _goes_on(self, look: _Look) -> bool:
        """Look once; False: no worker came back in time, and the run was told so."""
        run, now = look.run, look.clock.now()
        self._refuse_silent(look)
        run.has_workers = self.worker_count > 0
        if run.has_workers:
            if look.gone_at is not None:
                logger.info("a worker is back: the run goes on")
                look.gone_at = None
            self._spread_users()
        elif look.gone_at is None:
            look.gone_at = now
            _tell(run)
        if look.gone_at is not None and now - look.gone_at >= run.options.worker_wait_s:
            run.state.fail(_no_worker(run))
            return False
        return True

    def _refuse_silent(self, look: _Look) -> None:
        """Take users from peers that were given some and never said hello as this plugin does."""
        if self.state not in (STATE_SPAWNING, STATE_RUNNING):
            look.silent.clear()
            return
        with_users = {w.id for w in (*self.clients.spawning, *self.clients.running)}
        asked = (with_users | self._spawned_at) & self._active() - look.run.greeted
        look.silent = {worker: look.silent.get(worker, 0) + 1 for worker in asked}
        for worker in [name for name, looks in look.silent.items() if looks > HELLO_LOOKS]:
            logger.error(
                "worker %s is refused: it was given users and did not say hello within %g s, as a"
                " worker with this version of kiosk_locust does; start it with the locustfile of"
                " this master. The run goes on without it",
                excerpt(worker),
                HELLO_LOOKS * LOOK_S,
            )
            self._refused |= {worker}
            look.run.expect_no_more_of(worker)
            client = self.clients[worker]
            del self.clients[worker]
            if self._users_dispatcher is not None:
                self._users_dispatcher.remove_worker(client)
            self.server.send_to_client(Message("quit", None, worker))

    def _spread_users(self) -> None:
        if self.state == STATE_RUNNING and self._active() != self._spawned_at:
            self._users_dispatcher = None  # it would count on the workers it knows
            try:
                self.start(self.target_user_count, self.spawn_rate)
            except Exception:
                self._spawned_at = frozenset()  # the next look tries again
                self.update_state(STATE_RUNNING)
                raise

    def _active(self) -> frozenset[str]:
        clients = self.clients
        return frozenset(w.id for w in (*clients.ready, *clients.spawning, *clients.running))


def _unpacking(listener: Callable[[str, object], None]) -> Callable[..., None]:
    """Wrap a listener as Locust calls it; unreadable messages are left out, and counted."""

    def on_message(msg: Message, **_: Any) -> None:
        try:
            listener(msg.node_id, msg.data)
        except RelayError as error:
            UNREAD.note(msg.node_id, error)

    return on_message


def _tell(run: MasterRun) -> None:
    if run.options.worker_wait_s:
        logger.warning(
            "the last worker has gone: waiting %g s for one to come back (--worker-wait); start"
            " one, and the run goes on",
            run.options.worker_wait_s,
        )


def _no_worker(run: MasterRun) -> WorkerError:
    wait_s = run.options.worker_wait_s
    waited = f"and none came back within {wait_s:g} s (--worker-wait)" if wait_s else ""
    return WorkerError(f"the last worker went {waited}".rstrip())
