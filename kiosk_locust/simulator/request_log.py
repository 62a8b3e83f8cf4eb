"""Log of received requests: the independent witness of a client's requests."""

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
    """One POST /api/predict; ``at`` is the time of its first byte, epoch seconds."""

    at: float
    body: bytes | None = None  # None: not read
    hash: str | None = None  # key of the new job
    status: int | None = None  # HTTP status of the response; None: no response
    fault: str | None = None  # the rule that applied


@dataclass(slots=True)
class Polls:
    """Executed reads of one hash; times in epoch seconds."""

    first_at: float
    last_at: float
    count: int = 1


class Traffic:
    """Counts of requests and connections, all submissions, and polls by hash.

    A connection counts from its first request outside ``/simulator/``, so that observers do not
    change the counts.
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
        """Count one read of a hash, existing or not."""
        polls = self.polls.get(key)
        if polls:
            polls.count += 1
            polls.last_at = at
        elif len(self.polls) < KEPT_HASHES:
            self.polls[key] = Polls(at, at)

    def opened(self) -> None:
        """Count a connection's first request."""
        self.connections_accepted += 1
        self.connections_open += 1
        self.connections_most_open = max(self.connections_most_open, self.connections_open)

    def closed(self) -> None:
        """Count the end of such a connection."""
        self.connections_open -= 1

    def created_hashes(self) -> Iterator[str]:
        """Keys of all created jobs, in order of submission."""
        return (predict.hash for predict in self.predicts if predict.hash)

    def counts(self) -> dict[str, object]:
        """Counts without the submissions; cheap enough for frequent queries."""
        return {
            "requests": dict(self.requests),
            "connections": {
                "accepted": self.connections_accepted,
                "open": self.connections_open,
                "most_open": self.connections_most_open,
            },
        }

    def report(self) -> dict[str, object]:
        """Counts and submissions for JSON."""
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
        """Polls of each hash for JSON."""
        return {key: asdict(polls) for key, polls in self.polls.items()}


def _readable(body: bytes | None) -> object:
    """Body as parsed JSON, else as text."""
    if body is None:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
