"""What an HTTP answer means: JSON as promised, or an error of the tree with words for people."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from kiosk_locust.client import messages, redis_errors
from kiosk_locust.client.exchange import Exchange
from kiosk_locust.errors import Answered, BadAnswer, Busy, Redirected, Refused, ServerFault
from kiosk_locust.formatting import quoting
from kiosk_locust.formatting.excerpt import excerpt

LOOKED_AT_BYTES = 8 * 1024

_DECODE = json.JSONDecoder().decode

#: What was not processed and may be sent again (RFC 9110, 15.5.9 and 15.6.4; RFC 6585, 4).
_NOT_NOW = {
    408: "the request did not reach it whole in time; look at the network to what stands before"
    " the Kiosk",
    429: "it was sent too many requests",
    503: "nothing serves it now, or it is too busy",
}

_NOWHERE = "a place that is not said"
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b[^<>]*>[^<]*</\1>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def json_object(exchange: Exchange, where: str) -> dict[str, Any]:
    """The JSON object of a 2xx answer.

    ``where`` is the address asked, for messages. Raises the error of the answer's status, or
    BadAnswer where a 2xx answer is no JSON object.
    """
    if not 200 <= exchange.status < 300:
        raise fault(exchange, where)
    try:
        value = _decoded(exchange.body)
    except (ValueError, RecursionError):  # not JSON, not text, or nested without end
        raise bad_answer(exchange, where, "no JSON") from None
    if not isinstance(value, dict):
        raise bad_answer(exchange, where, "no JSON object")
    return value


def _decoded(body: bytes) -> object:
    """What JSON says; nearly all of it is ASCII, which needs no look for its encoding."""
    if body.isascii() and b"\0" not in body:
        value: object = _DECODE(body.decode("ascii"))
        return value
    return json.loads(body)


def bad_answer(exchange: Exchange, where: str, what: str) -> BadAnswer:
    """The error of a 2xx answer that is not what the call promises; ``what`` it is instead."""
    error = BadAnswer(
        f"{where} answered {exchange.status} with {what}{_quoted(exchange)}; {messages.NO_KIOSK}",
        status=exchange.status,
    )
    error.timing = exchange.timing
    return error


def fault(exchange: Exchange, where: str) -> Answered:
    """The error of an answer that is not 2xx."""
    status = exchange.status
    said = f"{where} answered {status}{_quoted(exchange)}"
    error: Answered
    if status < 400:
        location = exchange.headers.get("location", "")
        error = Redirected(
            f"{said}: it lives at {quoting.quoted(location) if location else _NOWHERE};"
            f" {messages.LIVES_ELSEWHERE}",
            status=status,
            location=location,
        )
    elif status in _NOT_NOW:
        wait_s = retry_after_s(exchange)
        asks = "" if wait_s is None else f" and asks to wait {wait_s:g} s"
        error = Busy(
            f"{said}{asks}: {_NOT_NOW[status]}",
            status=status,
            retry_after_s=wait_s,
        )
    elif status < 500:
        error = Refused(f"{said}; {messages.refusal_advice(status)}", status=status)
    else:
        error = redis_errors.fault(exchange, where) or ServerFault(
            f"{said}; {messages.SEE_THE_LOG}", status=status
        )
    error.timing = exchange.timing
    return error


def retry_after_s(exchange: Exchange) -> float | None:
    """The wait that ``Retry-After`` asks for, in seconds of at least 0; None if it has none."""
    text = exchange.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - exchange.received_at)


def words_of(exchange: Exchange) -> str:
    """What an answer's body says, in at most 200 characters.

    The Kiosk's own ``message``, the title or first words of HTML, else how the body begins.
    """
    text = exchange.body[:LOOKED_AT_BYTES].decode("utf-8", "replace")
    if is_html(exchange):
        title = _TITLE.search(text)
        text = title[1] if title and title[1].strip() else _TAG.sub(" ", _UNSEEN.sub(" ", text))
        return excerpt(html.unescape(text))
    try:
        message = json.loads(exchange.body).get("message")
    except (ValueError, RecursionError, AttributeError):
        message = None
    return excerpt(message if isinstance(message, str) else text)


def is_html(exchange: Exchange) -> bool:
    """Whether the body is a page for people, by its type or its first characters."""
    if "html" in exchange.headers.get("content-type", "").lower():
        return True
    return exchange.body[:256].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _quoted(exchange: Exchange) -> str:
    words = words_of(exchange)
    kind = " (HTML)" if is_html(exchange) else ""
    if words and not quoting.is_on():
        return kind or " (some text)"
    return f"{kind} “{words}”" if words else f"{kind} (empty)"
