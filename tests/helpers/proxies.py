"""A TCP proxy on loopback whose bytes can be held back, as by a network that stalls."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

from tests.helpers.servers import accept, hang_up


class Proxy:
    """Hands bytes on to a port of loopback and back, unless they are held."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._flows = threading.Event()
        self._flows.set()
        self._open: list[socket.socket] = []
        self.passed = bytearray()  # all that went through, either way

    def hold(self) -> None:
        """Hand nothing on until ``release``; nothing is lost."""
        self._flows.clear()

    def release(self) -> None:
        """Hand on what was held, and what comes."""
        self._flows.set()

    def __enter__(self) -> Self:
        accept(self._listener, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self.refuse()
        self.drop()

    def drop(self) -> None:
        """Break off every connection."""
        dropped, self._open = self._open, []
        for sock in dropped:
            hang_up(sock)

    def refuse(self) -> None:
        """Refuse connections, as where nobody listens; those that there are stay."""
        hang_up(self._listener)

    def accept(self) -> None:
        """Listen again, at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        accept(self._listener, self._take)

    def _take(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._to_port))
        except OSError:  # nobody listens yet: whoever connects tries again
            near.close()
            return
        self._open += near, far
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                self.passed += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
