"""The versions of master and worker, and the refusal of a worker whose version differs.

Only the same version is let in: options and messages change from version to version, and a worker
that reads some of them wrongly is worse than one that does not take part. A checkout that was
changed has the number of the version before, so the shape of all messages counts as well.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

import kiosk_locust
from kiosk_locust.distributed.messages import Hello, Refusal, Reply, Report, Welcome
from kiosk_locust.model.options import Options

#: What goes between master and workers, and what is in it; a welcome has the options as JSON.
_SENT = (Hello, Welcome, Refusal, Report, Reply, Options)
_ADVICE = (
    "install the same version of kiosk_locust for the master and for all of its workers (one image"
    " for all pods), and start them again"
)


@dataclass(frozen=True, slots=True)
class Version:
    """The number of a version, and a digest of the messages that it sends and reads."""

    number: str
    messages: str

    def __str__(self) -> str:
        if not self.number:
            return "an older version of kiosk_locust, which does not say its number"
        return f"kiosk_locust {self.number} (messages {self.messages or 'unknown'})"


def own() -> Version:
    """That of this process."""
    return Version(kiosk_locust.__version__, _messages())


def hello(asked_at: float) -> Hello:
    """The hello of this process, as a worker, to its master."""
    version = own()
    return Hello(asked_at, version.number, version.messages)


def refusal(asked_at: float) -> Refusal:
    """The refusal by this process, as a master, of a worker of another version."""
    version = own()
    return Refusal(asked_at, version.number, version.messages)


def of_hello(hello: Hello) -> Version:
    """That of the worker which says hello."""
    return Version(hello.version, hello.messages)


def refusal_at_master(worker: str, theirs: Version) -> str:
    """The master's log line on a worker of another version."""
    return f"worker {worker} is refused: it runs {theirs}, and this master runs {own()}; {_ADVICE}"


def refusal_at_worker(masters: Version) -> str:
    """The worker's log line on a master of another version."""
    return (
        f"the master refuses this worker: it runs {masters}, and this worker runs {own()};"
        f" {_ADVICE}"
    )


@cache
def _messages() -> str:
    """A digest of the names and types of all that is sent, as the source has them."""
    lines = sorted({line for kind in _SENT for line in _lines(kind, set())})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


def _lines(kind: Any, passed: set[Any]) -> Iterator[str]:
    """A line for each dataclass, field and enumeration that ``kind`` is made of."""
    for part in typing.get_args(kind):
        yield from _lines(part, passed)
    if not isinstance(kind, type) or kind in passed:
        return
    passed.add(kind)
    if issubclass(kind, Enum):
        yield f"{kind.__name__}: {[member.value for member in kind]}"
    if dataclasses.is_dataclass(kind):
        yield kind.__name__  # the tag of a member of a union, which may have no field
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield f"{kind.__name__}.{field.name}: {field.type}"
            yield from _lines(hints[field.name], passed)
