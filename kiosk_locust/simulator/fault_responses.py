"""Effects of faults: replaced responses, silence, and aborted connections."""

from __future__ import annotations

from kiosk_locust.simulator.answers import HTML, JSON, Receive, Scope, SimulatedAnswer
from kiosk_locust.simulator.faults import FaultRule

_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"


def replacement(rule: FaultRule) -> SimulatedAnswer:
    """Response of a rule instead of the true one."""
    status, body, content_type = _content(rule)
    if rule.body is not None:
        body = rule.body.encode()
    if rule.content_type is not None:
        content_type = rule.content_type.encode()
    extra = []
    if rule.retry_after is not None:
        extra.append((b"retry-after", rule.retry_after.encode()))
    if rule.kind == "redirect":
        extra.append((b"location", rule.location.encode()))
    return SimulatedAnswer(status, body, content_type, tuple(extra))


def _content(rule: FaultRule) -> tuple[int, bytes, bytes]:
    if rule.kind == "redirect":
        return rule.status or 308, b"", HTML
    status = rule.status or 200
    if rule.kind == "malformed":
        return status, b'{"hash":"segmentation:', JSON
    if rule.kind == "huge":
        frame = b'{"value":"%b"}'
        return status, frame % (b"x" * max(0, rule.size - len(frame) + 2)), JSON
    return status, _PAGE % (status, status), HTML


async def hang(receive: Receive) -> None:
    """Send nothing until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def abort(scope: Scope, receive: Receive) -> None:
    """Close the connection without a response."""
    scope["kiosk.transport"].abort()
    await hang(receive)
