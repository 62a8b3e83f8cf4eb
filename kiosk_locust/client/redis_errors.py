"""Faults of the Kiosk's Redis, as its frontend (Express, ioredis) answers them: 500 with JSON.

``{"message": {"command": {"name", "args"}}}``: Redis answered the command with an error, so it was
not carried out. Seen where Redis is out of memory, a key has another type, or a replica was asked.
``{"message": {}}``: an error without words; after 10.5 s and more, that of a client that could not
reach Redis in 20 tries (both measured with kiosk-frontend 0.11.3).
"""

from __future__ import annotations

import json
from typing import Any

from kiosk_locust.client.exchange import Exchange
from kiosk_locust.errors import Answered, RedisRefused, ServerFault
from kiosk_locust.formatting import quoting
from kiosk_locust.formatting.excerpt import excerpt

PREDICT = "/api/predict"
#: Commands of POST /api/predict, in their order: the hash is made, then its key is queued.
MAKE_HASH, QUEUE = ("hmset", "hset"), "lpush"
#: An empty error that took at least so long is that of a Redis that cannot be reached.
UNREACHABLE_AFTER_S = 10.0
_LOOKED_AT_BYTES = 64 * 1024  # the arguments of hmset are the whole hash
_CAUSES = "out of memory, read-only, still loading, or the key of another type?"


def fault(exchange: Exchange, where: str) -> Answered | None:
    """The error of a 500 that tells of Redis; None where it does not. ``where`` was asked."""
    if exchange.status != 500 or len(exchange.body) > _LOOKED_AT_BYTES:
        return None
    try:
        message = json.loads(exchange.body).get("message")
    except (ValueError, RecursionError, AttributeError):
        return None
    if message == {}:
        return _empty(exchange, where)
    command = message.get("command") if isinstance(message, dict) else None
    if not isinstance(command, dict):
        return None
    name = command.get("name")
    if not isinstance(name, str) or not name:
        return None
    return _refused(exchange, where, name.lower(), command.get("args"))


def _empty(exchange: Exchange, where: str) -> ServerFault:
    """The error of an answer without words, which may have been processed.

    No job runs if Redis was away all the time; but the answer is the same if it went away after
    the job's key was sent to its queue, and before it had said so.
    """
    took_s = exchange.received_at - exchange.sent_at
    said = f"{where} answered 500 with an empty error after {took_s:.1f} s"
    if took_s >= UNREACHABLE_AFTER_S:
        words = f"{said}: Redis unreachable; look at the Kiosk's Redis, and the way to it"
    else:
        words = f"{said} (Redis unreachable?); look at the log of the Kiosk's frontend"
    return ServerFault(words, status=exchange.status)


def _command(name: str) -> str:
    return name if name in (*MAKE_HASH, QUEUE) else quoting.quoted(name)


def _refused(exchange: Exchange, where: str, name: str, args: Any) -> Answered:
    said = f"{where} answered 500: Redis refused {_command(name)} ({_CAUSES})"
    look = "look at the Kiosk's Redis and at the log of its frontend"
    if not exchange.path.endswith(PREDICT):
        return RedisRefused(f"{said}; {look}", status=exchange.status)
    if name in MAKE_HASH:
        return RedisRefused(f"{said}, so no job was made; {look}", status=exchange.status)
    if name == QUEUE:
        key = args[-1] if isinstance(args, list) and args else None
        orphan = key if isinstance(key, str) else ""
        left = f"the hash {excerpt(orphan)}" if orphan else "a hash that is not named"
        return RedisRefused(
            f"{said}, so no job runs: {left} stands in no queue; {look}",
            status=exchange.status,
            orphan=orphan,
        )
    return ServerFault(f"{said}; {look}", status=exchange.status)
