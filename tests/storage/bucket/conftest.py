"""fake-gcs-server, a process of its own, and the proxy that breaks things before it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from kiosk_locust.storage.bucket.gcs import GoogleBucket
from tests.helpers.gcs import NoFakeGCS, fake_gcs_server
from tests.storage.bucket.proxy import Proxy, proxy_before

BUCKET = "our-kiosk"


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[str]:
    """The address of a running fake-gcs-server with one bucket."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(fake_gcs_server())
        except NoFakeGCS as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(f"no fake-gcs-server: {error}")
        made = requests.post(f"{url}/storage/v1/b", json={"name": BUCKET}, timeout=10)
        made.raise_for_status()
        yield url


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
