"""A line from a worker to its master that can be cut, and mended."""

from __future__ import annotations

import contextlib
import socket
import threading

CHUNK = 1 << 16


class Gate:
    """Listens on a port of its own and hands on to the master's; what is cut is only late.

    As on a real network, what was sent into a cut line arrives once it is mended.
    """

    def __init__(self, master_port: int) -> None:
        self._upstream = ("127.0.0.1", master_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_open = threading.Event()
        self._is_open.set()
        self._sockets: list[socket.socket] = []
        self._start(self._accept)

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._is_open.clear()

    def mend(self) -> None:
        """All passes again."""
        self._is_open.set()

    def close(self) -> None:
        """The line is no longer needed."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._is_open.set()

    def _start(self, target: object, *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()  # type: ignore[arg-type]  # callables

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                worker, _ = self._listener.accept()
                self._is_open.wait()
                try:
                    master = socket.create_connection(self._upstream)
                except OSError:
                    worker.close()  # it will ask again
                    continue
                self._sockets += [worker, master]
                self._start(self._hand_on, worker, master)
                self._start(self._hand_on, master, worker)

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._is_open.wait()
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
