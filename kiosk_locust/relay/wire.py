"""Frozen dataclasses as plain lists, which msgpack carries, and back, checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from kiosk_locust.errors import RelayError

T = TypeVar("T")


def encode(value: object) -> Any:
    """``value`` as None, booleans, numbers, strings, lists and dicts of them."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return [encode(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], data: object) -> T:
    """What ``encode`` made of an instance of ``kind``; raises RelayError if it cannot be one."""
    try:
        return typing.cast("T", _decode(kind, data))
    except (TypeError, ValueError, KeyError) as error:
        raise RelayError(
            f"a message that is no {kind.__name__} came in ({error}): "
            "master and workers must run the same version of kiosk_locust"
        ) from error


def _decode(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(typing.get_args(kind), data)
    if origin is tuple:
        return tuple(_decode(typing.get_args(kind)[0], item) for item in _list(data))
    if origin is list:
        return [_decode(typing.get_args(kind)[0], item) for item in _list(data)]
    if origin is not None and issubclass(origin, Mapping):
        item_kind = typing.get_args(kind)[1]
        return {str(key): _decode(item_kind, item) for key, item in dict(data).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        kinds = _field_kinds(kind)
        pairs = zip(kinds, _list(data), strict=True)
        return kind(*(_decode(item_kind, item) for item_kind, item in pairs))
    if issubclass(kind, Enum):
        return kind(data)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if type(data) is not kind:
        raise TypeError(f"{data!r} is no {kind.__name__}")
    return data


def _decode_union(kinds: tuple[Any, ...], data: Any) -> Any:
    """Only ``X | None`` stands in messages."""
    if data is None and types.NoneType in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not types.NoneType)
    return _decode(kind, data)


def _list(data: Any) -> list[Any]:
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{data!r} is no list")
    return list(data)


@cache
def _field_kinds(kind: type[Any]) -> tuple[Any, ...]:
    hints = typing.get_type_hints(kind)
    return tuple(hints[field.name] for field in dataclasses.fields(kind))
