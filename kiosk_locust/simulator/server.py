"""The process: a socket, uvicorn, the line that says ready, and a quick end."""

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

BACKLOG = 2048  # connections that may wait to be accepted
ADVANCE_INTERVAL_S = 0.5  # the model moves on so often even if nobody asks


def monotonic_epoch() -> Callable[[], float]:
    """A clock in epoch seconds that a step of the wall clock does not move."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


class KioskServer(uvicorn.Server):
    """uvicorn's server, which ends at the first signal without waiting for anybody."""

    def stop(self) -> None:
        """End now; hanging requests are cut."""
        self.should_exit = self.force_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as a wish to stop, which is no failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut every connection, then do as uvicorn does."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 picks a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )[0]
    # asyncio sets TCP_NODELAY only on sockets that know their protocol is TCP
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(BACKLOG)  # before the ready line: whoever reads it may connect
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """The base URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    bound: socket.socket,
    make_app: Callable[[Callable[[], float]], KioskApp],
    *,
    until_stdin_closes: bool = False,
) -> None:
    """Serve until a signal comes, or the standard input ends; prints the ready line."""
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
    """Spread the model's work over time, also while nobody asks."""
    while True:
        await asyncio.sleep(ADVANCE_INTERVAL_S)
        app.cluster.advance(app.clock())


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Stop when the standard input ends: whoever held its other end is dead."""

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _quiet_garbage_collector() -> None:
    """Make pauses rare: what is here now stays, and a million hashes are no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
