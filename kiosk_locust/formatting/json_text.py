"""JSON read and written fast: a run of a million jobs ends with some gigabytes of it."""

from __future__ import annotations

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(allow_nan=False, check_circular=False).encode


def loads(text: str) -> Any:
    """The value of a JSON text; raises ValueError for what is none."""
    try:
        return orjson.loads(text)
    except ValueError:  # half a pair of surrogates, as a Kiosk may have cut it; Python reads on
        return json.loads(text)


def dumps(value: Any) -> bytes:
    """``value`` as JSON in UTF-8, without spaces; ValueError where JSON cannot say it."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # the same halves, which UTF-8 lacks: Python escapes them
        return _encode(value).encode()
