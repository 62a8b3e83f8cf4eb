"""Users of a run: that their classes have tasks and hosts, and that some are left to take jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import gevent
from locust import User
from locust.env import Environment
from locust.runners import STATE_RUNNING, LocalRunner, MasterRunner, Runner

from kiosk_locust.errors import KioskLocustError, PreflightError, WorkerError
from kiosk_locust.execution.run_state import RunState
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.user import KioskUser

logger = logging.getLogger(__name__)

#: How often users are counted.
LOOK_S = 1.0
#: So long there must be none: Locust spawns some while we look.
NONE_LEFT_S = 2.0
#: The same at a master, which workers tell every 3 s how many users they have.
NONE_REPORTED_S = 10.0


# -- before a run


def keep_jobs(environment: Environment) -> None:
    """Let every KioskUser submit jobs, whatever Locust's tags and its page's task list say.

    Locust takes the tasks away from classes before ``test_start``. A user without any raises in a
    loop, and one that lacks only this task would leave its jobs to nobody.
    """
    job = KioskUser.next_job
    for user_class in environment.user_classes:
        if issubclass(user_class, KioskUser) and job not in user_class.tasks:
            user_class.tasks = [*user_class.tasks, job]
            logger.warning(
                "%s submits all of its jobs: tags have no effect on them", user_class.__name__
            )


def check_tasks(environment: Environment) -> None:
    """Raise PreflightError for classes without a task: their users could but raise, for ever."""
    idle = [c.__name__ for c in environment.user_classes if not _has_tasks(c)]
    if not idle:
        return
    options = environment.parsed_options
    tags = environment.tags or getattr(options, "tags", None)
    without = environment.exclude_tags or getattr(options, "exclude_tags", None)
    chosen = [f"--tags {' '.join(sorted(tags))}"] if tags else []
    chosen += [f"--exclude-tags {' '.join(sorted(without))}"] if without else []
    why = f" under {' '.join(chosen)}" if chosen else ""
    raise PreflightError(
        f"{', '.join(sorted(idle))} has no task{why}: give it one (@task), change the tags, or name"
        " only the other classes on the command line"
    )


def _has_tasks(user_class: type[User]) -> bool:
    return bool(user_class.tasks) or bool(getattr(user_class, "functions", None))  # PytestUser


class Hosts:
    """Gives the Kiosk's address to user classes that have no host of their own."""

    def __init__(self) -> None:
        self._given: dict[type[User], str] = {}

    def give(self, classes: Iterable[type[User]], url: str) -> None:
        """Set ``url`` as the host of those of ``classes`` that have none, or had it from us.

        Locust's HttpUser cannot be made without a host, and one of them keeps all users of its
        class, and those that come after it, from being spawned.
        """
        for user_class in classes:
            if not user_class.host or user_class.host == self._given.get(user_class):
                user_class.host = self._given[user_class] = url


# -- during a run


class UserWatch:
    """Ends a run whose users cannot take jobs: none is left, or each fails again and again."""

    def __init__(self, environment: Environment, state: RunState) -> None:
        self._environment = environment
        self._state = state
        self._none_s = 0.0
        self._were_any = False

    def start(self) -> None:
        """Watch, in a greenlet, until the run is over."""
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        gevent.sleep(LOOK_S)
        while self._state.is_on:
            error = self._look()
            if error is not None:
                self._state.fail(error)
                return
            gevent.sleep(LOOK_S)

    def _look(self) -> KioskLocustError | None:
        runner = self._environment.runner
        if runner is None or not runner.target_user_count or not _is_spawned(runner):
            self._none_s = 0.0
            return None
        if isinstance(runner, MasterRunner):
            return self._judge_count(_reported(runner), NONE_REPORTED_S)
        users = _users(runner)
        if users and all(BREAKER.is_hopeless(user) for user in users):
            return WorkerError(f"every user fails again and again: {BREAKER.last or 'see the log'}")
        if not isinstance(runner, LocalRunner):
            return None  # the master counts
        return self._judge_count(len(users), NONE_LEFT_S)

    def _judge_count(self, users: int, limit_s: float) -> KioskLocustError | None:
        self._were_any |= users > 0
        self._none_s = 0.0 if users else self._none_s + LOOK_S
        if self._none_s < limit_s:
            return None
        last = self._last_error()
        if self._were_any or last:
            return WorkerError(f"no user is left to take jobs: {last or 'each has stopped itself'}")
        return WorkerError(
            "no user that submits jobs was started: there are too few users for the weights of the"
            " classes; raise -u"
        )

    def _last_error(self) -> str:
        """What users raised last, here or at a worker."""
        runner = self._environment.runner
        if BREAKER.last or runner is None:
            return BREAKER.last
        spawning = runner.spawning_greenlet
        if spawning is not None and spawning.exception is not None:
            return repr(spawning.exception)
        rows = list(runner.exceptions.values())
        return rows[-1]["msg"] if rows else ""


def _is_spawned(runner: Runner) -> bool:
    if isinstance(runner, MasterRunner):
        return runner.state == STATE_RUNNING and runner.worker_count > 0
    return runner.spawning_greenlet is not None and runner.spawning_greenlet.ready()


def _users(runner: Runner) -> list[KioskUser]:
    arguments = (greenlet.args for greenlet in tuple(runner.user_greenlets))
    return [a[0] for a in arguments if a and isinstance(a[0], KioskUser)]


def _reported(runner: MasterRunner) -> int:
    """Users that submit jobs, as workers told last."""
    kiosk = {c.__name__ for c in runner.user_classes if issubclass(c, KioskUser)}
    return sum(n for name, n in runner.reported_user_classes_count.items() if name in kiosk)
