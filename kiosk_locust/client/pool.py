"""The sockets to one host: how many at once, whose turn it is, whether a kept one still lives."""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from typing import Any

from gevent import monkey
from gevent.event import Event
from gevent.ssl import SSLSocket
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool

from kiosk_locust.clock import Clock

# gevent's own poll would give way to other greenlets; a look at one socket must not.
_poll = monkey.get_original("select", "poll")


class Places:
    """A number of places that are handed out first come, first served.

    A place that is given back goes straight to whoever has waited longest, so nobody who
    comes later can take it (gevent's semaphore allows that). For the greenlets of one hub.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.in_use = 0
        self._queue: deque[Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place now."""
        return len(self._queue)

    def take(self) -> None:
        """Wait for a place and take it."""
        if self.in_use < self.count:
            self.in_use += 1
            return
        turn = Event()
        self._queue.append(turn)
        try:
            turn.wait()
        except BaseException:  # killed, perhaps just after the place was handed over
            if turn.is_set():
                self.give_back()
            else:
                self._queue.remove(turn)
            raise

    def give_back(self) -> None:
        """Give a place to the one who has waited longest, or keep it free."""
        if self._queue:
            self._queue.popleft().set()
        else:
            self.in_use -= 1


class CarefulPool(ConnectionPool):
    """geventhttpclient's way to connect, with a liveness check that holds for every descriptor.

    How many there are is no concern of it: that is seen to by Places.

    The library's own uses select(), which refuses descriptors from 1,024 on, and takes the
    refusal for a dead connection. A connection is also dropped unused once the time that the
    server promised to keep it has passed: whatever is sent then may meet its closing, and
    nobody could tell whether it was processed.
    """

    def __init__(self, *args: Any, clock: Clock, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._clock = clock
        self._kept_until: dict[Any, float] = {}
        self._idle: list[Any] = []  # the one used last is used next
        self._polls: dict[Any, Any] = {}  # by socket

    def keep(self, sock: Any, promised_s: float | None) -> None:
        """Put a socket back for the next request; the server keeps it for ``promised_s``."""
        if promised_s is not None:
            # A second before the end, or half-way where the promise is shorter than two.
            safe_s = max(promised_s - 1.0, promised_s / 2)
            self._kept_until[sock] = self._clock.now() + safe_s
        self.return_socket(sock)

    def after_connect(self, sock: Any) -> None:
        """Send small requests at once, without waiting for acknowledgements (Nagle)."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_socket(self) -> Any:
        """A kept socket that is alive, or a new one; who asks has a place for it."""
        if self._closed:
            raise RuntimeError("connection pool closed")
        while self._idle:
            sock = self._idle.pop()
            if self._is_socket_alive(sock):
                return sock
            self.release_socket(sock)
        return self._create_socket()

    def return_socket(self, sock: Any) -> None:
        """Put a socket back for the next request."""
        if self._closed:
            self.release_socket(sock)
        else:
            self._idle.append(sock)

    def release_socket(self, sock: Any) -> None:
        """Close a socket that is of no more use."""
        self._polls.pop(sock, None)
        with contextlib.suppress(Exception):  # it may be broken in any way
            sock.close()

    def close(self) -> None:
        """Close the kept sockets; those in use are closed when they come back."""
        self._closed = True
        while self._idle:
            self.release_socket(self._idle.pop())

    def _is_socket_alive(self, sock: Any) -> bool:
        kept_until = self._kept_until.pop(sock, None)
        if kept_until is not None and self._clock.now() >= kept_until:
            return False
        descriptor = sock.fileno()
        if descriptor < 0 or (isinstance(sock, SSLSocket) and sock.pending()):
            return False
        # An idle connection has nothing to read: there is its end, or an answer nobody asked for.
        poll = self._polls.get(sock)
        if poll is None:
            poll = self._polls[sock] = _poll()
            poll.register(descriptor, select.POLLIN)
        return not poll.poll(0)


class CarefulTlsPool(CarefulPool, SSLConnectionPool):
    """The same over TLS."""
