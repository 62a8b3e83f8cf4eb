"""STORAGE_EMULATOR_HOST: address of a Google Cloud Storage emulator, in its usual forms."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from kiosk_locust.errors import BucketError

VARIABLE = "STORAGE_EMULATOR_HOST"


def emulator_url() -> str:
    """The emulator's base URL; empty if the variable is not set.

    google-cloud-storage 3.17 for Python accepts only a URL with its scheme and without a trailing
    slash; those for Go and Node accept ``HOST:PORT`` as well, as emulators document.

    Raises:
        BucketError: The variable's value is invalid.

    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return ""
    url = text if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) else f"http://{text.lstrip('/')}"
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises ValueError if it is invalid
    except ValueError:
        is_usable = False
    if not is_usable or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise BucketError(
            f"{VARIABLE} cannot be used: it must be HOST:PORT or http://HOST:PORT, such as"
            " http://localhost:4443; correct it, or unset it"
        )
    return url.rstrip("/").removesuffix("/storage/v1")
