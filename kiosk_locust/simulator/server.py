"""Server process: socket, uvicorn, ready line, and a quick shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn

from kiosk_locust.simulator.answers import IDENTITY, KEEP_ALIVE_S
from kiosk_locust.simulator.app import KioskApp
from kiosk_locust.simulator.protocol import KioskProtocol

BACKLOG = 2048  # connections that wait to be accepted
ADVANCE_INTERVAL_S = 0.5  # interval in which the model advances without requests


def monotonic_epoch() -> Callable[[], float]:
    """Clock in epoch seconds that a step of the wall clock does not affect."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


class KioskServer(uvicorn.Server):
    """uvicorn's server, which ends at the first signal without waiting."""

    def stop(self) -> None:
        """End now; hanging requests are cut."""
        self.should_exit = self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM as a regular stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection, then shut down uvicorn."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Bound socket; port 0 picks a free one.

    Raises:
        OSError: The address cannot be used.

    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )[0]
    # asyncio sets TCP_NODELAY only on sockets that know their protocol is TCP
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(BACKLOG)  # before the ready line, whose reader may connect at once
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """Base URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    bound: socket.socket,
    make_app: Callable[[Callable[[], float]], KioskApp],
    *,
    until_stdin_closes: bool = False,
) -> None:
    """Serve until a signal, or the end of standard input; prints the ready line."""
    app = make_app(monotonic_epoch())
    protocol = type("BoundProtocol", (KioskProtocol,), {"kiosk": app})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        backlog=BACKLOG,
        access_log=False,
        server_header=False,
        headers=[IDENTITY],
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=None,
    )
    server = KioskServer(config)
    asyncio.run(_run(server, app, bound, until_stdin_closes=until_stdin_closes))


async def _run(
    server: KioskServer, app: KioskApp, bound: socket.socket, *, until_stdin_closes: bool
) -> None:
    if until_stdin_closes:
        _watch_stdin(asyncio.get_running_loop(), server.stop)
    ticking = asyncio.create_task(_tick(app))
    announcing = asyncio.create_task(_announce(server, url_of(bound)))
    _quiet_garbage_collector()
    await server.serve(sockets=[bound])
    ticking.cancel()
    announcing.cancel()


async def _announce(server: KioskServer, url: str) -> None:
    while not server.started:
        await asyncio.sleep(0)
    print(json.dumps({"url": url}), flush=True)  # noqa: T201  the ready line is for programs


async def _tick(app: KioskApp) -> None:
    """Advance the model regularly, also without requests."""
    while True:
        await asyncio.sleep(ADVANCE_INTERVAL_S)
        app.cluster.advance(app.clock())


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Stop when standard input ends: the process at its other end is dead."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _quiet_garbage_collector() -> None:
    """Make collections rare: present objects stay, and a million hashes are no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
