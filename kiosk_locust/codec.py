"""Messages as plain values, which msgpack and JSON carry, and back, checked.

``encode``, ``decode``, ``decode_any_version`` and the two limits are all that others know of it. A
message is a frozen dataclass. Its fields hold plain values, enumerations, dataclasses, tuples,
lists and mappings of these, ``X | None``, or unions of dataclasses. A dataclass is written as the
list of its values; a member of a union has the name of its class in front of them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from operator import attrgetter
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

#: Writes values of one type, or reads them.
_Coder = Callable[[Any], Any]


def encode(message: object) -> Any:
    """``message`` as None, booleans, numbers, strings, and lists and mappings of them."""
    kind: Any = type(message)
    return _encoder(kind)(message)


def decode(kind: type[T], data: object) -> T:
    """The ``kind`` of message that ``data`` was encoded from.

    Raises:
        RelayError: ``data`` is none, or holds a number that is not finite, or is beyond MOST or
            MOST_WHOLE.

    """
    decoder = _decoder(typing.cast("Any", kind))
    try:
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
def _encoder(kind: Any) -> _Coder:
    """The function that writes a ``kind``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, _encoder, _tagged_encoder)
    if origin in (tuple, list):
        item = _encoder(arguments[0])
        return list if item is _as_is else lambda values: [item(value) for value in values]
    if origin is not None and issubclass(origin, Mapping):
        item = _encoder(arguments[1])
        return lambda values: {key: item(value) for key, value in values.items()}
    if dataclasses.is_dataclass(kind):
        return _fields_encoder(kind)
    return attrgetter("value") if issubclass(kind, Enum) else _as_is


def _as_is(value: Any) -> Any:
    return value


def _fields_encoder(kind: Any) -> _Coder:
    hints = _hints(kind)
    others = [(place, _encoder(hint)) for place, hint in enumerate(hints.values())]
    others = [(place, item) for place, item in others if item is not _as_is]

    def encode_fields(message: Any) -> list[Any]:
        values = [getattr(message, name) for name in hints]
        for place, item in others:
            values[place] = item(values[place])
        return values

    return encode_fields


def _tagged_encoder(members: tuple[Any, ...]) -> _Coder:
    items = {member: (member.__name__, _fields_encoder(member)) for member in members}

    def encode_member(message: Any) -> list[Any]:
        tag, item = items[type(message)]
        return [tag, *item(message)]

    return encode_member


@cache
def _decoder(kind: Any) -> _Coder:
    """The function that checks and makes a ``kind``; a master makes many."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments, _decoder, _tagged_decoder)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple([item(value) for value in _list(data)])
    if origin is list:
        item = _decoder(arguments[0])
        return lambda data: [item(value) for value in _list(data)]
    if origin is not None and issubclass(origin, Mapping):
        item = _decoder(arguments[1])
        return lambda data: {str(key): item(value) for key, value in dict(data).items()}
    if dataclasses.is_dataclass(kind):
        return _fields_decoder(kind)
    if issubclass(kind, Enum):
        return _enum_decoder(kind)
    return _plain_decoder(kind)


def _fields_decoder(kind: Any) -> _Coder:
    hints = tuple(_hints(kind).values())
    items = tuple(_decoder(hint) for hint in hints)
    ready = tuple(_ready(hint) for hint in hints)
    limits = tuple(_LIMITS.get(hint) for hint in hints)

    def decode_fields(data: Any) -> Any:
        values: Any = zip(items, ready, limits, _list(data), strict=True)
        return kind(
            *[
                value
                if type(value) is plain and (most is None or -most <= value <= most)
                else item(value)
                for item, plain, most, value in values
            ]
        )

    return decode_fields


def _tagged_decoder(members: tuple[Any, ...]) -> _Coder:
    items = {member.__name__: _fields_decoder(member) for member in members}

    def decode_member(data: Any) -> Any:
        tag, *values = _list(data)
        if tag not in items:
            raise ValueError(f"{_shown(tag)} is none of {', '.join(items)}")
        return items[tag](values)

    return decode_member


def _union(
    kinds: tuple[Any, ...],
    coder: Callable[[Any], _Coder],
    tagged: Callable[[tuple[Any, ...]], _Coder],
) -> _Coder:
    """One member of several has a tag; None stands for itself."""
    members = tuple(kind for kind in kinds if kind is not types.NoneType)
    item = coder(members[0]) if len(members) == 1 else tagged(members)
    if len(members) == len(kinds) or item is _as_is:
        return item
    return lambda value: None if value is None else item(value)


def _hints(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields by name, in their order."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _ready(kind: Any) -> type | None:
    """The type whose instances can stand for a ``kind`` as they are, but for their limit."""
    if kind in _PLAIN:
        return typing.cast("type", kind)
    return types.NoneType if types.NoneType in typing.get_args(kind) else None


def _enum_decoder(kind: type[Enum]) -> _Coder:
    members = {member.value: member for member in kind}

    def decode_enum(data: Any) -> Any:
        member = members.get(data)
        if member is None:
            raise ValueError(f"{_shown(data)} is no {kind.__name__}")
        return member

    return decode_enum


def _plain_decoder(kind: type[Any]) -> _Coder:
    def decode_plain(data: Any) -> Any:
        if type(data) is kind:
            return data
        raise TypeError(f"{_shown(data)} is no {kind.__name__}")

    return {float: _number, int: _whole}.get(kind, decode_plain)


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
