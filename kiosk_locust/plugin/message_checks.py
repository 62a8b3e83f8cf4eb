"""Checks of Locust's own messages to its master, before Locust stores what they say.

Locust 2.47 stores it unseen, and adds, compares and sorts it later in other greenlets, which end
at a value of another type. The fields are those that ``MasterRunner.handle_message``,
``StatsEntry.unserialize`` and ``StatsError.unserialize`` read; further ones pass, since listeners
of ``report_to_master`` may add some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from locust.rpc import Message
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
)

from kiosk_locust.codec import MOST, MOST_WHOLE
from kiosk_locust.errors import RelayError
from kiosk_locust.formatting.excerpt import EXCERPT_CHARS, excerpt

#: Raises RelayError unless a value is what it should be; the name says which value it is.
Check = Callable[[str, Any], None]

#: States that a worker has; only its master calls it missing.
_STATES = frozenset(
    {STATE_INIT, STATE_SPAWNING, STATE_RUNNING, STATE_CLEANUP, STATE_STOPPING, STATE_STOPPED}
)


def check(client_id: str, message: Message) -> None:
    """Raise RelayError for a message of Locust's whose fields are not of Locust's types.

    ``client_id`` is whose connection it came by, who must be its sender. What types of message that
    Locust does not know hold is their listeners' affair.
    """
    if message.node_id != client_id:
        raise RelayError(f"it came from {excerpt(client_id)}, which is not its sender")
    fields = _MESSAGES.get(message.type)
    if fields is not None:
        fields(message.type, message.data)
    if message.type == "logs" and message.data["worker_id"] != client_id:
        raise RelayError("logs.worker_id is not its sender")


def _refuse(name: str, value: Any, expected: str) -> RelayError:
    shown = excerpt(repr(value)[: 2 * EXCERPT_CHARS])
    return RelayError(f"{excerpt(name)} is not {expected}: {shown}")


def _text(name: str, value: Any) -> None:
    if type(value) is not str:
        raise _refuse(name, value, "a text")


def _count(name: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value <= MOST_WHOLE:
        raise _refuse(name, value, "a whole number from 0")


def _number(name: str, value: Any) -> None:
    if type(value) not in (int, float) or not -MOST_WHOLE <= value <= MOST_WHOLE:
        raise _refuse(name, value, "a finite number")


def _time(name: str, value: Any) -> None:
    if type(value) not in (int, float) or not 0 <= value <= MOST:
        raise _refuse(name, value, "a time in seconds since 1970")


def _state(name: str, value: Any) -> None:
    if type(value) is not str or value not in _STATES:
        raise _refuse(name, value, "a state of a worker")


def _version(name: str, value: Any) -> None:
    """Very old workers say none, or -1; Locust deals with both."""
    if value is not None and type(value) is not str and not (type(value) is int and value == -1):
        raise _refuse(name, value, "a version")


def _or_none(item: Check) -> Check:
    def check_if_some(name: str, value: Any) -> None:
        if value is not None:
            item(name, value)

    return check_if_some


def _list_of(item: Check) -> Check:
    def check_items(name: str, value: Any) -> None:
        if type(value) is not list:
            raise _refuse(name, value, "a list")
        for entry in value:
            item(name, entry)

    return check_items


def _map_of(key: Check, item: Check) -> Check:
    def check_items(name: str, value: Any) -> None:
        if type(value) is not dict:
            raise _refuse(name, value, "a map")
        for entry_key, entry in value.items():
            key(f"a key of {name}", entry_key)
            item(name, entry)

    return check_items


def _fields(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    every = {**needed, **(optional or {})}

    def check_fields(name: str, value: Any) -> None:
        if type(value) is not dict:
            raise _refuse(name, value, "a map")
        for field, item in every.items():
            if field in value:
                item(f"{name}.{field}", value[field])
            elif field in needed:
                raise RelayError(f"{name} has no {field}")

    return check_fields


#: Response times may be fractions, since Locust rounds those above 100 ms as floats.
_ENTRY = _fields(
    {"name": _text, "method": _text},
    {
        "last_request_timestamp": _or_none(_time),
        "start_time": _time,
        "num_requests": _count,
        "num_none_requests": _count,
        "num_failures": _count,
        "total_response_time": _number,
        "max_response_time": _number,
        "min_response_time": _or_none(_number),
        "total_content_length": _number,
        "response_times": _map_of(_number, _count),
        "num_reqs_per_sec": _map_of(_count, _count),
        "num_fail_per_sec": _map_of(_count, _count),
    },
)
_ERROR = _fields(
    {"name": _text, "method": _text, "error": _text, "occurrences": _count},
    {"first_seen": _or_none(_time), "last_seen": _or_none(_time)},
)
_USERS = _map_of(_text, _count)

_MESSAGES: Mapping[str, Check] = {
    "client_ready": _version,
    "locustfile": _fields({"version": _version}),
    "heartbeat": _fields(
        {"state": _state, "current_cpu_usage": _number}, {"current_memory_usage": _number}
    ),
    "stats": _fields(
        {
            "stats": _list_of(_ENTRY),
            "stats_total": _ENTRY,
            "errors": _map_of(_text, _ERROR),
            "user_classes_count": _USERS,
        },
        {"user_count": _count},
    ),
    "spawning_complete": _fields({"user_classes_count": _USERS}, {"user_count": _count}),
    "exception": _fields({"msg": _text, "traceback": _text}),
    "logs": _fields({"worker_id": _text, "logs": _list_of(_text)}),
}
