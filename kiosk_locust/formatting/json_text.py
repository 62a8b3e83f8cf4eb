"""Fast JSON reading and writing: a run of a million jobs ends with some gigabytes of it."""

from __future__ import annotations

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(allow_nan=False, check_circular=False).encode


def loads(text: str) -> Any:
    """Value of a JSON text.

    Raises:
        ValueError: The text is not JSON.

    """
    try:
        return orjson.loads(text)
    except ValueError:  # a lone surrogate, where a Kiosk cut a text; json accepts it
        return json.loads(text)


def dumps(value: Any) -> bytes:
    """``value`` as compact JSON in UTF-8.

    Raises:
        ValueError: JSON cannot represent the value.

    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # a lone surrogate, which UTF-8 lacks; json escapes it
        return _encode(value).encode()
