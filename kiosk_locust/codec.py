"""Frozen dataclasses as plain lists, which msgpack carries, and back, checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from kiosk_locust.errors import RelayError
from kiosk_locust.formatting.excerpt import EXCERPT_CHARS, excerpt

T = TypeVar("T")

#: The greatest time, duration or share that a message may hold: the end of the year 9999, beyond
#: which no date can be written. What is not finite is beyond it, too.
MOST = 253_402_300_799.0
#: The greatest whole number, which is that of SQLite.
MOST_WHOLE = 2**63 - 1

_LIMITS: dict[Any, float] = {float: MOST, int: MOST_WHOLE}
_PLAIN = frozenset({str, int, float, bool, types.NoneType})


def encode(value: object) -> Any:
    """``value`` as None, booleans, numbers, strings, lists and dicts of them."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    names = _field_names(kind)
    if names is not None:
        return [encode(getattr(value, name)) for name in names]
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    return value


@cache
def _field_names(kind: Any) -> tuple[str, ...] | None:
    """Of a dataclass; None of any other."""
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


def decode(kind: type[T], data: object) -> T:
    """The instance of ``kind`` that ``encode`` was given; raises RelayError if there is none.

    Numbers that are not finite, or greater than MOST and MOST_WHOLE, are refused.
    """
    try:
        decoder = _decoder(typing.cast("Any", kind))
        return typing.cast("T", decoder(data))
    except (TypeError, ValueError, KeyError) as error:
        raise RelayError(
            f"a message that is no {kind.__name__} came in ({error}): "
            "master and workers must run the same version of kiosk_locust"
        ) from error


def decode_any_version(kind: type[T], data: object) -> T:
    """As ``decode``, of a message of any version: fields beyond those of ``kind`` are left out.

    Those that are missing have their defaults.
    """
    fields = dataclasses.fields(typing.cast("Any", kind))
    values = [*data][: len(fields)] if isinstance(data, (list, tuple)) else data
    if isinstance(values, list):
        values += [encode(field.default) for field in fields[len(values) :]]
    return decode(kind, values)


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """What checks and makes a ``kind``; looked up once, since a master makes many."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decoder_of_union(arguments)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple([item(each) for each in _list(data)])
    if origin is list:
        item = _decoder(arguments[0])
        return lambda data: [item(each) for each in _list(data)]
    if origin is not None and issubclass(origin, Mapping):
        item = _decoder(arguments[1])
        return lambda data: {str(key): item(each) for key, each in dict(data).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decoder_of_fields(kind)
    if issubclass(kind, Enum):
        return _decoder_of_enum(kind)
    return _decoder_of_plain(kind)


def _decoder_of_union(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Only ``X | None`` stands in messages."""
    (kind,) = (kind for kind in kinds if kind is not types.NoneType)
    item = _decoder(kind)
    if types.NoneType not in kinds:
        return item
    return lambda data: None if data is None else item(data)


def _decoder_of_fields(kind: type[Any]) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    own = [hints[field.name] for field in dataclasses.fields(kind)]
    items = tuple(_decoder(each) for each in own)
    ready = tuple(_ready(each) for each in own)
    limits = tuple(_LIMITS.get(each) for each in own)

    def fields(data: Any) -> Any:
        values: Any = zip(items, ready, limits, _list(data), strict=True)
        return kind(
            *[
                each
                if type(each) is known and (most is None or -most <= each <= most)
                else item(each)
                for item, known, most, each in values
            ]
        )

    return fields


def _ready(kind: Any) -> type | None:
    """The type whose instances can stand for a ``kind`` as they are, but for their limit."""
    if kind in _PLAIN:
        return typing.cast("type", kind)
    return types.NoneType if types.NoneType in typing.get_args(kind) else None


def _decoder_of_enum(kind: type[Enum]) -> Callable[[Any], Any]:
    known = {member.value: member for member in kind}

    def member(data: Any) -> Any:
        found = known.get(data)
        if found is None:
            raise ValueError(f"{_shown(data)} is no {kind.__name__}")
        return found

    return member


def _decoder_of_plain(kind: type[Any]) -> Callable[[Any], Any]:
    def plain(data: Any) -> Any:
        if type(data) is kind:
            return data
        raise TypeError(f"{_shown(data)} is no {kind.__name__}")

    return {float: _number, int: _whole}.get(kind, plain)


def _whole(data: Any) -> int:
    if type(data) is not int:
        raise TypeError(f"{_shown(data)} is no whole number")
    if not -MOST_WHOLE <= data <= MOST_WHOLE:
        raise ValueError(f"{data!r} is greater than any number of a run")
    return data


def _number(data: Any) -> float:
    """A time, a duration or a share; a whole number may stand for one."""
    if type(data) is not float and type(data) is not int:
        raise TypeError(f"{_shown(data)} is no number")
    if not -MOST <= data <= MOST:
        raise ValueError(f"{data!r} is no time and no number of a run")
    return float(data)


def _shown(data: Any) -> str:
    """A wrong value for a message; it may be large."""
    return excerpt(repr(data)[: 2 * EXCERPT_CHARS])


def _list(data: Any) -> Sequence[Any]:
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{_shown(data)} is no list")
    return data
