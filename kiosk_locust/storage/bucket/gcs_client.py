"""Import and setup of google-cloud-storage: credentials, sessions, limits of its retries.

Its import takes about a second of CPU time, so only `kiosk_locust.storage.bucket.gcs` imports this
module.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from requests.adapters import HTTPAdapter

from kiosk_locust.errors import NoCredentials
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket.emulator import emulator_url

#: Sockets kept open to the bucket; more may be open at a time.
SOCKETS = 64
#: Time limits of connections and responses, in seconds.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0
#: Variables that indicate a pod, or a machine of Google's.
_CLUSTER_SIGNS = ("KUBERNETES_SERVICE_HOST", "K_SERVICE", "GCE_METADATA_HOST", "GCE_METADATA_ROOT")
_PRODUCT = Path("/sys/class/dmi/id/product_name")
_CURE = (
    "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run "
    "'gcloud auth application-default login', or in a cluster use workload identity; or unset "
    "STORAGE_BUCKET"
)


def _may_be_googles() -> bool:
    """Tell if a metadata server may exist: in a pod, or on a machine made by Google."""
    try:
        product = _PRODUCT.read_text(encoding="ascii", errors="replace")
    except OSError:
        product = ""
    return product.startswith("Google") or any(os.environ.get(sign) for sign in _CLUSTER_SIGNS)


@contextlib.contextmanager
def _brief_probing() -> Iterator[None]:
    """Bound google-auth's search for a metadata server, which reads the limits at import.

    Outside Google, packets to that address may get lost, and three tries of 3 s would delay every
    start.
    """
    bounds = {"GCE_METADATA_TIMEOUT": "1", "GCE_METADATA_DETECT_RETRIES": "1"}
    overrides = (
        {} if _may_be_googles() else {k: v for k, v in bounds.items() if k not in os.environ}
    )
    os.environ.update(overrides)
    try:
        yield
    finally:
        for name in overrides:
            os.environ.pop(name, None)


with _brief_probing():
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.api_core.retry import Retry
    from google.auth.compute_engine import _metadata  # noqa: F401  its import reads the limits
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.storage import Blob, Client
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from google.cloud.storage.retry import DEFAULT_RETRY

__all__ = [
    "CONNECT_TIMEOUT_S",
    "READ_TIMEOUT_S",
    "AuthorizedSession",
    "Blob",
    "DataCorruption",
    "GoogleAPICallError",
    "GoogleAuthError",
    "InvalidResponse",
    "RetryError",
    "TransportError",
    "has_emulator",
    "open_client",
    "retry_for",
]


def has_emulator() -> bool:
    """Tell if STORAGE_EMULATOR_HOST names a replacement for Google's servers."""
    return bool(emulator_url())


def open_client() -> tuple[Client, AuthorizedSession]:
    """Client, and the session of its requests.

    Credentials are found in the way of all Google libraries; an emulator needs none.

    Raises:
        NoCredentials: No credentials were found.
        BucketError: STORAGE_EMULATOR_HOST is invalid.

    """
    try:
        client = _client()
        session: AuthorizedSession = client._http  # its authorised session has no public attribute
    except (DefaultCredentialsError, OSError, ValueError) as error:
        reason = _without_links(str(error.args[0] if error.args else error))
        raise NoCredentials(
            f"no credentials for Google Cloud were found ({reason}): {_CURE}"
        ) from error
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=SOCKETS))
    return client, session


def _client() -> Client:
    """Client of Google's servers, or of an emulator."""
    if url := emulator_url():
        return Client(client_options={"api_endpoint": url})
    return Client(project=_project())


def _project() -> str:
    """Project name: objects do not need one, and its lookup could fail."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or "none"


def _without_links(text: str) -> str:
    """First sentence of google-auth's message; our own advice replaces the rest."""
    return text.split(". ", maxsplit=1)[0].rstrip(". ")


def retry_for(patience_s: float) -> Retry:
    """Retry policy for transient errors, as the library classifies them, for ``patience_s``."""
    retry: Retry = DEFAULT_RETRY.with_delay(initial=0.5, multiplier=2.0, maximum=10.0).with_timeout(
        patience_s
    )
    retry._on_error = transfer_progress.tried  # its ``with_`` methods keep it, none sets it
    return retry
