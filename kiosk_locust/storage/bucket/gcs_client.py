"""google-cloud-storage, imported and opened: credentials, sessions, the bounds of its retries.

Its import takes about a second of processor time, so nothing but `kiosk_locust.storage.bucket.gcs`
imports this module.
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
#: An answer that does not come for so long will not come.
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0
#: What says that a machine may be one of Google's, or that a pod may.
_CLUSTER_SIGNS = ("KUBERNETES_SERVICE_HOST", "K_SERVICE", "GCE_METADATA_HOST", "GCE_METADATA_ROOT")
_PRODUCT = Path("/sys/class/dmi/id/product_name")
_CURE = (
    "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run "
    "'gcloud auth application-default login', or in a cluster use workload identity; or unset "
    "STORAGE_BUCKET"
)


def _may_be_googles() -> bool:
    """Whether a metadata server may be there: in a pod, or on a machine whose maker is Google."""
    try:
        product = _PRODUCT.read_text(encoding="ascii", errors="replace")
    except OSError:
        product = ""
    return product.startswith("Google") or any(os.environ.get(sign) for sign in _CLUSTER_SIGNS)


@contextlib.contextmanager
def _brief_probing() -> Iterator[None]:
    """Bound google-auth's search for a metadata server, which it reads when it is imported.

    Elsewhere than at Google, packets to that address may simply get lost, and three tries of 3 s
    would hold up every start.
    """
    bounds = {"GCE_METADATA_TIMEOUT": "1", "GCE_METADATA_DETECT_RETRIES": "1"}
    added = {} if _may_be_googles() else {k: v for k, v in bounds.items() if k not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


with _brief_probing():
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.api_core.retry import Retry
    from google.auth.compute_engine import _metadata  # noqa: F401  it is what reads the bounds
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
    """Whether STORAGE_EMULATOR_HOST names something to use instead of Google's servers."""
    return bool(emulator_url())


def open_client() -> tuple[Client, AuthorizedSession]:
    """A client, and the session that it sends its requests with; raises NoCredentials.

    BucketError where STORAGE_EMULATOR_HOST cannot be used.

    Credentials are found as all of Google's libraries find them; an emulator needs none.
    """
    try:
        client = _client()
        session: AuthorizedSession = client._http  # the only way to its authorised session
    except (DefaultCredentialsError, OSError, ValueError) as error:
        reason = _without_links(str(error.args[0] if error.args else error))
        raise NoCredentials(
            f"no credentials for Google Cloud were found ({reason}): {_CURE}"
        ) from error
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=SOCKETS))
    return client, session


def _client() -> Client:
    """A client of Google's servers, or of an emulator."""
    if url := emulator_url():
        return Client(client_options={"api_endpoint": url})
    return Client(project=_project())


def _project() -> str:
    """A project's name, which objects do not need, and asking for one could fail."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or "none"


def _without_links(text: str) -> str:
    """The first sentence of what google-auth says; the rest advises what we say better."""
    return text.split(". ", maxsplit=1)[0].rstrip(". ")


def retry_for(patience_s: float) -> Retry:
    """Try again what may pass, as the library judges it, for so long at most."""
    retry: Retry = DEFAULT_RETRY.with_delay(initial=0.5, multiplier=2.0, maximum=10.0).with_timeout(
        patience_s
    )
    retry._on_error = transfer_progress.tried  # its ``with_`` methods keep it, and none sets it
    return retry
