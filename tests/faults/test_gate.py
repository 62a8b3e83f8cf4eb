"""The line between a worker and its master."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.faults.gate import Gate


@pytest.fixture
def line() -> Iterator[tuple[Gate, socket.socket, socket.socket]]:
    """A gate, and both ends of a connection through it: the worker's and the master's."""
    with socket.create_server(("127.0.0.1", 0)) as master:
        gate = Gate(master.getsockname()[1])
        with socket.create_connection(("127.0.0.1", gate.port)) as worker:
            accepted, _ = master.accept()
            with accepted:
                yield gate, worker, accepted
        gate.close()


def test_what_is_sent_into_a_cut_line_arrives_once_it_is_mended(
    line: tuple[Gate, socket.socket, socket.socket],
) -> None:
    gate, worker, master = line
    gate.cut()
    worker.sendall(b"late")
    master.settimeout(0.2)
    with pytest.raises(TimeoutError):
        master.recv(10)
    gate.mend()
    master.settimeout(10)
    assert master.recv(10) == b"late"
