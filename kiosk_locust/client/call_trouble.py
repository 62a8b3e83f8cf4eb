"""A kind of call that fails, as one process saw it; what processes tell each other of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TroubleKind(StrEnum):
    """What is called for, each with a state of its own."""

    SUBMISSION = "submission"
    POLL = "poll"
    UPLOAD = "upload"  # through the frontend
    BUCKET = "upload to the bucket"
    DOWNLOAD = "download"
    EXPIRY = "expiry"
    CHECKPOINT = "checkpoint"

    @property
    def plural(self) -> str:
        """As a noun of many."""
        if self is TroubleKind.BUCKET:
            return "uploads to the bucket"
        return "expiries" if self is TroubleKind.EXPIRY else f"{self.value}s"


#: The frontend's paths that jobs' calls are sent to (POST); the other kinds go elsewhere.
PATHS = {
    TroubleKind.SUBMISSION: "/api/predict",
    TroubleKind.POLL: "/api/redis",
    TroubleKind.UPLOAD: "/api/upload",
    TroubleKind.EXPIRY: "/api/redis/expire",
}


class State(StrEnum):
    """How a kind of call fails."""

    FAILING = "failing"  # each try fails
    SILENT = "silent"  # none has failed yet, but none is answered
    PARTLY = "partly"  # many fail, others succeed


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of call that fails; times in epoch seconds.

    ``tries`` have failed, ``waiting`` are under way without any headway. ``error`` is the last
    one, ``short`` the same in a word or two. ``succeeded`` is of PARTLY alone: so many of the same
    time did not fail. ``ended_at`` is when a call succeeded again; None while none has.
    """

    kind: TroubleKind
    state: State
    since: float
    tries: int
    succeeded: int
    waiting: int
    error: str
    short: str
    cause: str
    ended_at: float | None = None
