"""Long work of the processor in a real thread, so that greenlets go on meanwhile."""

from __future__ import annotations

from _queue import SimpleQueue  # the real one: gevent puts another in its place in `queue`
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent import monkey
from gevent.event import Event
from gevent.threadpool import ThreadPool

T = TypeVar("T")


class _Task:
    """Work for the thread, and what came of it."""

    __slots__ = ("args", "done", "error", "result", "work")

    def __init__(self, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.work = work
        self.args = args
        self.done = Event()
        self.result: Any = None
        self.error: BaseException | None = None


class RealThread:
    """One real thread that does work in the order in which greenlets ask for it.

    gevent's ThreadPool does the same with a lock, a condition and a watcher made anew for each
    task; here all of that is made once, which a thread that works a hundred times a second feels.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._done: deque[_Task] = deque()
        self._waiting = 0
        self._bell = gevent.get_hub().loop.async_()
        monkey.get_original("_thread", "start_new_thread")(self._run, ())

    def apply(self, work: Callable[..., T], args: tuple[Any, ...] = ()) -> T:
        """What ``work`` returns; what it raises is raised here. Other greenlets go on."""
        task = _Task(work, args)
        if not self._waiting:
            self._bell.start(self._on_bell)
        self._waiting += 1
        self._tasks.put(task)
        task.done.wait()
        if task.error is not None:
            raise task.error
        result: T = task.result
        return result

    def kill(self) -> None:
        """End the thread once what was asked for is done; nobody waits for that any more."""
        self._tasks.put(None)
        self._bell.stop()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task.result = task.work(*task.args)
            except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
                task.error = error
            self._done.append(task)
            self._bell.send()

    def _on_bell(self) -> None:
        while self._done:
            self._waiting -= 1
            self._done.popleft().done.set()
        if not self._waiting:
            self._bell.stop()


def in_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns; what it raises is raised here."""
    pool = ThreadPool(1)
    try:
        done: T | Exception = pool.apply(_caught, (work,))
    finally:
        pool.kill()
    if isinstance(done, Exception):
        raise done
    return done


def _caught(work: Callable[[], T]) -> T | Exception:
    """What is raised in the thread, gevent would print with a traceback."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  it is raised again in the greenlet
        return error
