"""Changes to Locust's and gevent's own behaviour; each says for which version, and why.

``test_locust_patches.py`` and ``test_small_patches.py`` in ``tests/plugin`` have a test for each,
which fails once it is no longer needed.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter, time
from types import FrameType, TracebackType
from typing import Any, NoReturn, Protocol

import gevent
from flask import Flask, request
from flask.json.provider import DefaultJSONProvider
from gevent.lock import RLock
from locust import argument_parser, log, web
from locust.env import Environment
from locust.event import EventHook
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    RPCError,
    RPCReceiveError,
    RPCSendError,
)
from locust.rpc import Message, zmqrpc
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    LocalRunner,
    MasterRunner,
    Runner,
    WorkerRunner,
)
from locust.user.task import TaskSet
from locust.util.timespan import parse_timespan
from werkzeug.datastructures import ImmutableMultiDict

from kiosk_locust.callbacks import ends_run, is_calling_out
from kiosk_locust.distributed.unreadable_messages import UNREAD
from kiosk_locust.errors import RelayError
from kiosk_locust.formatting.log_lines import PlainErrors
from kiosk_locust.parsing import duration
from kiosk_locust.plugin.circuit_breaker import BREAKER
from kiosk_locust.plugin.log_rate_limit import RepeatFilter
from kiosk_locust.plugin.message_checks import check

#: Loggers whose records are one for each failure of a user, a listener or a request.
NOISY = (
    "",  # locust.event logs listeners' errors there
    "locust.user.task",
    "locust.user.users",
    "kiosk_locust.events",
    "kiosk_locust.plugin.request_event",
    "kiosk_locust.execution.executor",
    "kiosk_locust.execution.run_state",
    "kiosk_locust.distributed.unreadable_messages",
    "gevent",
)
REPEATS = RepeatFilter()

_applied: list[bool] = []


def apply() -> None:
    """Make the changes that concern the whole process; once, however often called."""
    if _applied:
        return
    _applied.append(True)
    for name in NOISY:
        logging.getLogger(name).addFilter(REPEATS)
    _note_ends_of_tasks()
    _take_system_errors()
    _limit_printed_errors()
    _make_default_parser_once()
    vars(web)["parse_timespan"] = timespan
    _keep_statuses_of_children()
    _keep_listening()


def on_local_start(notify: Callable[[Environment, int, float], None]) -> None:
    """Call ``notify`` whenever a single process's test is about to start; once a process.

    In Locust 2.47 only the command line and ``run_single_user`` fire ``init``: a program that makes
    an Environment need not, and then has an Events of its own.
    """
    original = LocalRunner.start

    @functools.wraps(original)
    def start(
        self: LocalRunner, user_count: int, spawn_rate: float, *more: Any, **named: Any
    ) -> None:
        notify(self.environment, user_count, spawn_rate)
        original(self, user_count, spawn_rate, *more, **named)

    LocalRunner.start = start  # type: ignore[method-assign]


def timespan(text: str) -> float:
    """The seconds of a time as Locust reads it, or else as every other setting here is read.

    Locust 2.47 takes ``20m`` and ``1h30m``, but neither ``2min`` nor ``1.5h``, nor the ``5400.0``
    that its own form shows for it. Raises ValueError.
    """
    try:
        seconds: int = parse_timespan(text)
    except (ValueError, OverflowError):
        return duration(text)
    return seconds


def on_given_up(choose: Callable[[str], int]) -> None:
    """Have ``choose`` give the exit code where Locust's main gives up by itself.

    ``choose`` is given the reason. Locust 2.47 exits with 1 or 255 in some twenty places (workers
    that do not come, a port that is taken, an unknown user class), and Python with 1 for an error
    in Locust's main that nobody catches (a locustfile that cannot be imported, a report that cannot
    be written). The exit after a test stays: its code is the environment's, and ``quit`` tells it.
    """
    last_error = _LastError()
    for name in ("locust.main", "locust.runners"):
        logging.getLogger(name).addFilter(last_error)
    leave, hook = sys.exit, sys.excepthook

    @functools.wraps(leave)
    def choosing_exit(status: Any = None) -> NoReturn:
        frame = sys._getframe(1)
        if status and _is_locusts(frame) and frame.f_code.co_name != "shutdown":
            leave(choose(last_error.text or "Locust says why above"))
        leave(status)

    @functools.wraps(hook)
    def choosing_hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        hook(kind, error, trace)
        if issubclass(kind, Exception) and any(map(_is_main, _frames(trace))):
            raise SystemExit(choose(f"{kind.__name__}: {error}"))

    sys.exit, sys.excepthook = choosing_exit, choosing_hook


class _LastError(logging.Filter):
    """Keeps the last error that a logger was given."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep it, and let it pass."""
        if record.levelno >= logging.ERROR:
            self.text = record.getMessage()
        return True


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _is_locusts(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "locust"


def _is_main(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "locust.main" and frame.f_code.co_name == "main"


def listen_last(hook: EventHook, listener: Callable[..., None]) -> None:
    """Call ``listener`` after all others of ``quitting``, which Locust 2.47 fires in reverse."""
    hook._handlers.insert(0, listener)


def before_page_starts(web_ui: web.WebUI, call: Callable[[], None]) -> None:
    """Have ``call`` called before a web UI listens, after all listeners of ``init``.

    Locust 2.47 has no event between these, and listeners of the locustfile come after ours. A web
    UI that listens already, as a program's does, is left alone.
    """
    if web_ui.greenlet is not None:
        return
    original = web_ui.start

    @functools.wraps(original)
    def start() -> None:
        call()
        original()  # type: ignore[no-untyped-call]

    web_ui.start = start  # type: ignore[method-assign]


def spare_tracebacks(*kinds: type[BaseException]) -> None:
    """Have a greenlet that ends by one of ``kinds`` end without a traceback.

    gevent 26.9 prints one for all but GreenletExit and SystemExit, such as for Locust's StopTest,
    of which Locust 2.47 says in a line why the test stopped.
    """
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, *(kind for kind in kinds if kind not in hub.NOT_ERROR))


def start_heartbeat(runner: WorkerRunner) -> None:
    """Let a worker's wait for its master's heartbeat begin now.

    Locust 2.47's worker ends a minute after its master's last heartbeat, but waits for ever for the
    first; and a "quit" that comes with the master's first words is lost on it.
    """
    if runner.last_heartbeat_timestamp is None:
        runner.last_heartbeat_timestamp = time()


def forget_dead_greenlets() -> None:
    """Forget that greenlets died of an error, which makes Locust 2.47's own exit code 2."""
    log.unhandled_greenlet_exception = False


def has_dead_greenlets() -> bool:
    """Tell if a greenlet died of an error since `forget_dead_greenlets`."""
    return log.unhandled_greenlet_exception


def post_instead(fields: Mapping[str, list[str]]) -> None:
    """Have Locust read ``fields`` in place of what was posted in this request.

    Locust 2.47's ``/swarm`` reads the form itself and has no event before that.
    """
    request.form = ImmutableMultiDict(fields)


def keep_key_order(app: Flask) -> None:
    """Have a page's JSON keep the order of its keys: the form's fields stand in it.

    Flask 3.1, and its templates, sort them unless they are told not to.
    """
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False
        app.jinja_env.policies["json.dumps_kwargs"] = {}


def _note_ends_of_tasks() -> None:
    """Tell the breaker when a task succeeds, or does nothing but ask for the next.

    Locust 2.47 tells of exceptions only (``user_error``), and a task that raises
    RescheduleTaskImmediately is run again without a yield: one of them stops the whole process.
    """
    original = TaskSet.execute_next_task

    @functools.wraps(original)
    def execute_next_task(self: TaskSet) -> None:
        began = perf_counter()
        try:
            original(self)  # type: ignore[no-untyped-call]
        except (RescheduleTask, RescheduleTaskImmediately, InterruptTaskSet):
            BREAKER.on_reschedule(self.user, perf_counter() - began)
            raise
        BREAKER.on_success(self.user)

    TaskSet.execute_next_task = execute_next_task  # type: ignore[method-assign]


def _take_system_errors() -> None:
    """Let SystemExit and KeyboardInterrupt in any greenlet end the run in order.

    gevent 26.9 raises them in the main greenlet, where Locust 2.47 lets SystemExit end the process
    at once, without its own end and without ours.
    """
    hub = gevent.get_hub()
    original = hub.handle_system_error

    def handle_system_error(kind: type[BaseException], value: Any, tb: Any = None) -> None:
        error = value if isinstance(value, BaseException) else kind()
        if not ends_run("a user or a listener", error):
            original(kind, value, tb)

    hub.handle_system_error = handle_system_error


def _limit_printed_errors() -> None:
    """Have gevent's tracebacks of dead greenlets limited, and made plain, as those in logs are.

    gevent 26.9 prints one for each greenlet, such as 20,000 users whose ``on_start`` raises.
    """
    hub = gevent.get_hub()
    hub.exception_stream = PlainErrors()
    original = hub.print_exception

    def print_exception(context: Any, kind: Any, value: Any, tb: Any) -> None:
        died = f"a greenlet died of {getattr(kind, '__name__', kind)}: {value}"
        what = f"Traceback (most recent call last):\n{died}"  # of which its last line is left
        record = logging.LogRecord("gevent", logging.ERROR, "", 0, what, (), None)
        if not REPEATS.filter(record):
            return
        if record.getMessage() == what:
            original(context, kind, value, tb)
        else:
            logging.getLogger(__name__).error("%s", record.getMessage())

    hub.print_exception = print_exception


def _make_default_parser_once() -> None:
    """Have Locust's own options looked up once, and not for each option of each spawn message.

    In Locust 2.47 a worker makes a whole parser for each option that its master sends, whenever
    users are spread anew: most of a second in which it sends no heartbeat. On a busy machine it is
    then taken for lost, and users are spread anew. Only the options' names are looked at.
    """
    original = functools.cache(argument_parser.default_args_dict)

    @functools.wraps(argument_parser.default_args_dict)
    def default_args_dict() -> dict[str, Any]:
        return dict(original())

    argument_parser.default_args_dict = default_args_dict


def _keep_statuses_of_children() -> None:
    """Keep the exit statuses of forked processes until they are asked for.

    gevent 26.9 forgets the status of a child that ended more than a minute before another one did.
    Locust 2.47 asks for those of its ``--processes`` at its very end, again and again for 3 s
    where there is none, with a traceback each time: some 100,000 lines below all others. It also
    takes the (0, 0) of a child that still runs for that child's end, and so leaves workers behind
    whose master gave up: it waits where it is interrupted, so that is what it gets instead.
    """
    fork, waitpid = gevent.fork, os.waitpid
    statuses: dict[int, int] = {}

    @functools.wraps(fork)
    def watched_fork(*arguments: Any, **named: Any) -> int:
        if not (arguments or named):
            named["callback"] = lambda watcher: statuses.update({watcher.pid: watcher.rstatus})
        return int(fork(*arguments, **named))

    @functools.wraps(waitpid)
    def waitpid_of_kept(pid: int, options: int) -> tuple[int, int]:
        try:
            status = waitpid(pid, options)
        except ChildProcessError:
            if pid not in statuses:
                raise
            return pid, statuses.pop(pid)
        if not status[0] and sys._getframe(1).f_code.co_name == "kill_workers":
            raise InterruptedError(errno.EINTR, "it still runs")
        statuses.pop(status[0], None)
        return status

    gevent.fork, os.waitpid = watched_fork, waitpid_of_kept


def _keep_listening() -> None:
    """Let no message end the greenlet that hears all others.

    In Locust 2.47 that greenlet ends at a message that cannot be unpacked, or that lacks what its
    handler takes for granted: the process goes on, and hears nobody any more. After some messages
    it handles the one before once more. Besides, a master stores what a message says whatever its
    type, and other greenlets end at it. Here they are left out and counted; what is wrong with the
    connection itself stays Locust's affair.
    """
    base = zmqrpc.BaseSocket
    base.recv = _next_readable(base.recv)  # type: ignore[method-assign]
    base.recv_from_client = _next_readable(base.recv_from_client)  # type: ignore[method-assign]
    original = MasterRunner.handle_message

    @functools.wraps(original)
    def handle_message(self: MasterRunner, client_id: str, msg: Message) -> None:
        try:
            check(client_id, msg)
            original(self, client_id, msg)
        except RelayError as error:
            UNREAD.note(client_id, error)
        except Exception as error:  # noqa: BLE001  whatever it was, the next one is heard
            UNREAD.note(client_id, f"{msg.type}: {error!r}")

    MasterRunner.handle_message = handle_message  # type: ignore[method-assign]


def _next_readable(receive: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``receive``, until it gives a message that has the parts of one."""

    @functools.wraps(receive)
    def next_readable(socket: Any) -> Any:
        while True:
            try:
                received = receive(socket)
                message = received[1] if isinstance(received, tuple) else received
                if isinstance(message.type, str) and isinstance(message.node_id, str):
                    return received
                UNREAD.note("", "it has no type or no sender")
            except RPCReceiveError as error:
                UNREAD.note(getattr(error, "addr", None) or "", error)
            except (RPCError, RPCSendError):
                raise
            except Exception as error:  # noqa: BLE001  as in handle_message
                UNREAD.note("", repr(error))
            gevent.sleep(0)  # many of them in a row shall not keep others from their work

    return next_readable


class EndCalled(Protocol):
    """Is told that users' code called ``name`` (such as ``runner.quit()``); carries it out.

    ``end`` does what the runner would have done, and may wait for the end of everything.
    """

    def __call__(self, name: str, end: Callable[[], None]) -> None:
        """Take note of it, and have ``end`` called in another greenlet."""


class SafeEnd(Runner):
    """Runner whose ``stop`` and ``quit`` may be called from any greenlet.

    In Locust 2.47 they wait where they are called. In a user, a listener, a task or the greenlet
    that spawns users, that is waiting for itself, or being killed half-way: the process stays.
    There they return at once here, and ``on_end_called`` has them carried out elsewhere.
    """

    on_end_called: EndCalled | None = None
    _ends_in: Any = None  # the greenlet that carries out a stop
    _stop_is_quits: bool = False  # the next call of `stop` is that of `quit` itself
    is_quitting: bool = False  # `quit` was called, and is or was carried out

    def is_carried_out_elsewhere(self, name: str, end: Callable[[], None]) -> bool:
        """Whether the end must not be waited for in the current greenlet; then it begins."""
        here = gevent.getcurrent()
        is_unsafe = (
            is_calling_out()
            or here in self.user_greenlets
            or here is self.spawning_greenlet
            or here is self._ends_in
        )
        if is_unsafe:
            if self.on_end_called is not None:
                self.on_end_called(name, end)
            else:
                gevent.spawn(end)
        return is_unsafe

    def take_stop_of_quit(self) -> bool:
        """Whether `stop` is called by `quit`, which has decided where it is carried out."""
        is_quits, self._stop_is_quits = self._stop_is_quits, False
        return is_quits

    @contextmanager
    def quitting(self) -> Iterator[None]:
        """Let the process end, even if a listener of Locust's events raises what it lets through.

        In Locust 2.47 a StopTest or GreenletExit in ``test_stopping`` ends the end instead.
        """
        self._stop_is_quits = self.is_quitting = True
        try:
            yield
        except BaseException:
            self.greenlet.kill(block=False)  # Locust's main waits for these
            raise

    @contextmanager
    def ending_here(self) -> Iterator[None]:
        """Mark the current greenlet as the one that carries out a stop."""
        before, self._ends_in = self._ends_in, gevent.getcurrent()
        try:
            yield
        finally:
            self._ends_in = before


class SafeLocalRunner(SafeEnd, LocalRunner):
    """Locust's runner of a single process, ended as SafeEnd says, and by one caller at a time."""

    _end: RLock

    @staticmethod
    def made_of(runner: LocalRunner) -> SafeLocalRunner:
        """The same runner; Locust itself makes only its own kind."""
        runner.__class__ = SafeLocalRunner
        assert isinstance(runner, SafeLocalRunner)  # noqa: S101  what was just set
        runner._end = RLock()
        return runner

    def start(self, *arguments: Any, **keywords: Any) -> None:
        """Begin a test; its end need not wait for that of the one before, which may take long."""
        if self.state not in (STATE_RUNNING, STATE_SPAWNING):
            self._end = RLock()
        super().start(*arguments, **keywords)

    def stop(self) -> None:
        """End the test, and wait for that unless it would wait for the caller."""
        if not self.take_stop_of_quit() and self.is_carried_out_elsewhere(
            "runner.stop()", self.stop
        ):
            return
        with self._end:
            if self.state != STATE_STOPPED:
                with self.ending_here():
                    super().stop()

    def quit(self) -> None:
        """As `stop`, and let the process end."""
        if self.is_carried_out_elsewhere("runner.quit()", self.quit):
            return
        with self._end, self.quitting():
            super().quit()


class SafeWorkerRunner(SafeEnd, WorkerRunner):
    """Locust's worker, which users' code ends by its master: the run is ended everywhere."""

    @staticmethod
    def made_of(runner: WorkerRunner) -> SafeWorkerRunner:
        """The same runner; Locust itself makes only its own kind."""
        runner.__class__ = SafeWorkerRunner
        assert isinstance(runner, SafeWorkerRunner)  # noqa: S101  what was just set
        return runner

    def stop(self) -> None:
        """End this worker's part of the test."""
        if self.take_stop_of_quit() or not self.is_carried_out_elsewhere(
            "runner.stop()", self.stop
        ):
            with self.ending_here():
                super().stop()

    def quit(self) -> None:
        """As `stop`, and let the process end."""
        if not self.is_carried_out_elsewhere("runner.quit()", self.quit):
            with self.quitting():
                super().quit()
