"""Heads of answers that were parsed before: a server says the same again and again.

Of the answers of one second most have one head, to the byte; they differ in their bodies. Only what
the parser itself has made of a head is used again, and only for an answer that came in one piece,
whose body has exactly the length that the head says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kiosk_locust.client.response_parser import HttpAnswer

END = b"\r\n\r\n"
#: So many heads are known at once; a server's date makes new ones each second.
MOST_HEADS = 64
#: Longer ones are rare, and not worth keeping.
LONGEST_HEAD = 2_048


class Whole(NamedTuple):
    """An answer that is there as a whole."""

    status: int
    fields: Mapping[str, str]  # its headers, names in lower case
    body: bytes
    may_be_kept: bool  # the connection
    kept_s: float | None  # so long, as the server promises


class _Head(NamedTuple):
    status: int
    fields: Mapping[str, str]
    length: int  # of the body
    kept_s: float | None


class Heads:
    """The heads of one server's answers; see the module."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Head] = {}

    def whole(self, data: bytes) -> Whole | None:
        """The answer that ``data`` is, if its head is known and nothing lacks or is too much."""
        end = data.find(END)
        head = self._known.get(data[:end]) if end > 0 else None
        if head is None or len(data) != end + len(END) + head.length:
            return None
        return Whole(head.status, head.fields, data[end + len(END) :], True, head.kept_s)  # noqa: FBT003

    def learn(self, data: bytes, answer: HttpAnswer) -> None:
        """``answer`` is what the parser made of ``data``, which was all that came."""
        end = data.find(END)
        length = len(data) - end - len(END)
        fields = answer.fields
        if (
            0 < end <= LONGEST_HEAD
            and answer.status not in (204, 304)
            and answer.may_be_kept
            and len(answer.body) == length
            and fields.get("content-length") == str(length)
            and "transfer-encoding" not in fields
        ):
            if len(self._known) >= MOST_HEADS:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[data[:end]] = _Head(answer.status, fields, length, answer.kept_s)
