"""Messages of master and workers. Times are epoch seconds by the sender's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kiosk_locust.client.call_trouble import Trouble
from kiosk_locust.measurement.process_figures import ProcessFigures
from kiosk_locust.model.record import Record
from kiosk_locust.model.ticket_events import Batch

#: A worker that ends wants nothing, not even jobs to adopt.
NOTHING = -1


@dataclass(frozen=True, slots=True)
class Terms:
    """The times that both sides go by; the master sets them."""

    lease_s: float = 10.0  # a worker that was not heard of for so long has lost its tickets
    margin_s: float = 0.5  # how far two clocks may drift apart within a lease
    beat_s: float = 0.5  # a worker reports at least so often
    resend_s: float = 1.0  # what was not acknowledged by then is sent again
    linger_s: float = 0.2  # entries that are not urgent wait so long for company
    horizon_s: float = 1.0  # tickets are granted at most so long before they are due
    lot_s: float = 0.25  # those that are due within so long are granted together
    uploads: bool = False  # a job is submitted only after the master holds that it was uploaded

    @property
    def sendable_s(self) -> float:
        """How long after its master's last sign of life a worker may submit jobs, in seconds."""
        return self.lease_s + self.horizon_s


@dataclass(frozen=True, slots=True)
class Hello:
    """A worker asks to take part; it repeats this until it is welcome, or refused.

    Every version must be able to read that of every other one: fields are only added, at the end
    (see `codec.decode_any_version`). ``version`` and ``messages`` are those of `versions.Version`;
    empty of a worker that is so old that it does not say them.
    """

    asked_at: float
    version: str = ""
    messages: str = ""


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer, as soon as a run is on; the time stamps measure the worker's clock.

    ``zero_at`` is the moment (by the master's clock) from which due times are sent as offsets.
    """

    run_id: str
    session: int
    asked_at: float  # the worker's, sent back
    received_at: float
    answered_at: float
    zero_at: float
    terms: Terms
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a worker of another version; what is said of Hello holds here, too.

    ``version`` and ``messages`` are the master's.
    """

    asked_at: float  # the worker's, sent back
    version: str = ""
    messages: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A worker is here. It is ready for grant ``ask``, with room for ``wanted`` tickets.

    With room for none, it still adopts jobs, unless it wants NOTHING.

    ``drained``: it holds nothing any more, all that it said was acknowledged, and it wants no
    more tickets.
    """

    run_id: str
    session: int
    sent_at: float
    ask: int
    wanted: int
    batches: tuple[Batch, ...]
    drained: bool
    skew_s: float  # the master's clock less the worker's
    skew_bound_s: float
    trouble: str  # why this worker cannot go on; empty if it can
    figures: ProcessFigures | None = None  # what it saw of itself, now and then
    account: str = ""  # the token of its account of what it sends; empty: it keeps none
    troubles: tuple[Trouble, ...] = ()  # which of its calls fail now, or have just ceased to


@dataclass(frozen=True, slots=True)
class Grant:
    """Tickets for a worker: new ones, and ones with a past (a job to adopt, earlier attempts).

    Their due times are offsets from time zero.
    """

    number: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no more, let jobs in flight end within ``grace_s``, close the rest as unfinished."""

    ended_by: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class ReusedUpload:
    """A ticket's upload was given a name that the run has had; it is to be uploaded again."""

    ticket_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """The session goes on, its lease counted from the report.

    ``drained``: the master knows that this session holds nothing.
    """

    grant: Grant | None = None
    drain: Drain | None = None
    drained: bool = False


@dataclass(frozen=True, slots=True)
class Fenced:
    """The session is over, and its tickets are no longer the worker's."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The master has heard the report sent at ``echo``, and holds all batches to ``acked``.

    ``reused`` has the acknowledged uploads of the worker's tickets that do not count; a worker that
    was told so in a reply that was lost is told again.
    """

    run_id: str
    session: int
    echo: float
    acked: int
    lease: Renewed | Fenced
    reused: tuple[ReusedUpload, ...] = ()
