"""What the simulator has received: the independent witness of what a client really sent."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass

KEPT_PREDICTS = 1_000_000
KEPT_PATHS = 1_000
KEPT_HASHES = 1_000_000


@dataclass(slots=True)
class Predict:
    """One POST /api/predict; ``at`` is when its first byte was read, in epoch seconds."""

    at: float
    body: bytes | None = None  # None: not read
    hash: str | None = None  # the job that was made
    status: int | None = None  # the HTTP status answered; None: no answer was given
    fault: str | None = None  # the rule that struck


@dataclass(slots=True)
class Polls:
    """The readings of one hash that were carried out; times in epoch seconds."""

    first_at: float
    last_at: float
    count: int = 1


class Traffic:
    """Counts of requests and connections, every submission, and how each hash was polled.

    A connection counts from its first request that is not for ``/simulator/``, so that
    whoever looks does not change what is seen.
    """

    def __init__(self) -> None:
        self.predicts: deque[Predict] = deque(maxlen=KEPT_PREDICTS)
        self.polls: dict[str, Polls] = {}
        self.requests: Counter[str] = Counter()
        self.connections_accepted = 0
        self.connections_open = 0
        self.connections_most_open = 0

    def count(self, method: str, path: str) -> None:
        """Count one request."""
        name = f"{method} {path}"
        if name not in self.requests and len(self.requests) >= KEPT_PATHS:
            name = "others"
        self.requests[name] += 1

    def polled(self, key: str, at: float) -> None:
        """Count one reading of a hash, whether it is there or not."""
        polls = self.polls.get(key)
        if polls:
            polls.count += 1
            polls.last_at = at
        elif len(self.polls) < KEPT_HASHES:
            self.polls[key] = Polls(at, at)

    def opened(self) -> None:
        """A connection has sent its first request."""
        self.connections_accepted += 1
        self.connections_open += 1
        self.connections_most_open = max(self.connections_most_open, self.connections_open)

    def closed(self) -> None:
        """Such a connection is gone."""
        self.connections_open -= 1

    def made(self) -> Iterator[str]:
        """The keys of all jobs that were made, in order of their submissions."""
        return (predict.hash for predict in self.predicts if predict.hash)

    def counts(self) -> dict[str, object]:
        """What is counted, without the submissions: cheap enough to ask for many times a run."""
        return {
            "requests": dict(self.requests),
            "connections": {
                "accepted": self.connections_accepted,
                "open": self.connections_open,
                "most_open": self.connections_most_open,
            },
        }

    def report(self) -> dict[str, object]:
        """All of it, as JSON has it."""
        return {
            "predicts": [
                {
                    "at": predict.at,
                    "hash": predict.hash,
                    "status": predict.status,
                    "fault": predict.fault,
                    "body": _readable(predict.body),
                }
                for predict in self.predicts
            ],
            **self.counts(),
        }

    def polls_report(self) -> dict[str, object]:
        """The polls of each hash, as JSON has it."""
        return {key: asdict(polls) for key, polls in self.polls.items()}


def _readable(body: bytes | None) -> object:
    """A body as the JSON it holds, else as text."""
    if body is None:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
