"""Messages for failed requests to a Grafana or a Prometheus."""

from __future__ import annotations

import html
import json
import re
import socket

import requests

from kiosk_locust.formatting import quoting
from kiosk_locust.formatting.excerpt import excerpt

EXCERPT_BYTES = 8 * 1024
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


def connection_trouble(error: requests.RequestException) -> str:
    """Cause of a connection failure, with advice; contains no part of a URL or header."""
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"its certificate is not trusted, or no https is spoken there ({_reason(error)}); if it"
            " is the right host, name its authority's file in REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "nothing answers at that address; is it right, and is there a way to it from here?"
    if isinstance(error, requests.exceptions.Timeout):
        return "it does not answer in time; is it overloaded?"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy does not let us through ({_reason(error)}); see HTTP_PROXY and NO_PROXY"
    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        return "the host's name is not known; is it right, and known where this process runs?"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused; is it running, and is the port right?"
    return f"the connection broke ({_reason(error)}); is the address right?"


def _cause(error: BaseException) -> BaseException:
    """The innermost exception, raised by the operating system."""
    visited = set()
    while id(error) not in visited:
        visited.add(id(error))
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in error.args if isinstance(a, BaseException)), None)
        if inner is None:
            break
        error = inner
    return error


def _reason(error: BaseException) -> str:
    cause = _cause(error)
    reason = (
        cause.strerror if isinstance(cause, OSError) and cause.strerror else type(cause).__name__
    )
    return excerpt(str(reason))


def refusal_advice(answer: requests.Response, login: str, *, has_login: bool) -> str:
    """Advice for an HTTP error status."""
    status = answer.status_code
    if status == 401:
        return f"{login} is wrong" if has_login else f"it wants a login: set {login}"
    if status == 403:
        subject = "this account may not" if has_login else "it wants a login, or nobody may"
        return f"{subject} do that; it needs the right to read data sources and to query them"
    if status == 404:
        return "is the address right, and does it need a path?"
    if status in (400, 422):
        return "the query was refused; is it a Prometheus that is asked?"
    if status in (429, 502, 503, 504):
        return "it is too busy, or what stands behind it is away; ask again later"
    if 300 <= status < 400:
        return "it lives elsewhere; set the address that answers by itself"
    return "look at its log"


def quoted(answer: requests.Response) -> str:
    """Excerpt of a response body in quotation marks, at most 200 characters."""
    text = answer.content[:EXCERPT_BYTES].decode("utf-8", "replace")
    kind = ""
    if "html" in answer.headers.get("content-type", "").lower() or text.lstrip()[:1] == "<":
        title = _TITLE.search(text)
        text = html.unescape(title[1] if title else "")
        kind = " (HTML)"
    else:
        text = _error_text(answer.content) or text
    words = excerpt(text)
    if words and not quoting.is_on():
        return kind or " (some text)"
    return f"{kind} “{words}”" if words else kind or " (empty)"


def _error_text(body: bytes) -> str:
    """Error text of a JSON body: ``error`` from Prometheus, ``message`` from Grafana."""
    try:
        document = json.loads(body)
        message = document.get("error") or document.get("message")
    except (ValueError, RecursionError, AttributeError):
        return ""
    return message if isinstance(message, str) else ""
