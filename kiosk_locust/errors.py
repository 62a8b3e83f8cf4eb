"""Every exception of this package, in one tree.

::

    KioskLocustError
    ├── OptionsError          settings that cannot be used; lists every mistake
    ├── PreflightError        the Kiosk cannot run this plan (unknown job type, …)
    ├── LedgerError           the ledger cannot be opened or written
    │   ├── LedgerExistsError a run of that name has one already
    │   └── NewerLedgerError  a newer kiosk_locust made it
    ├── RelayError            a message between master and worker cannot be used
    ├── WorkerError           a worker cannot go on with its part of the run
    ├── SimulatorError        the simulated Kiosk did not start
    ├── InputError            a file to upload is gone, or not as it was planned
    ├── ReusedName            an upload was given a name that the run has had
    ├── DownloadError         what a job made did not arrive whole
    ├── BucketError           the bucket did not do what it was asked for
    │   ├── BucketMissing     there is no such bucket, or no such folder
    │   ├── NotPermitted      the bucket may not be used like that (403)
    │   ├── NoCredentials     there are none, or they are not accepted (401)
    │   ├── NoSuchObject      the bucket has nothing of that name
    │   ├── NameTaken         something else has that name, and it is kept (412)
    │   ├── DamagedObject     what arrived is not what was sent
    │   └── BucketUnreachable no answer, or faults that did not pass in time
    ├── CostError             what the run cost cannot be asked for; the run ends as it would have
    │   └── CostRefused       an answer came, but an error status
    ├── TextFileError         a text file that a user wrote cannot be read
    ├── PriceFileError        a price file cannot be used; lists every mistake
    ├── ForecastError         a benchmark's forecast cannot be carried out
    ├── PageBusy              a page cannot be made now, but may be in a moment
    └── KioskError            an HTTP call did not give a usable answer
        ├── Unreachable       surely not sent: refused, name not resolved
        │   └── Withdrawn     not sent: by then, it was no longer wanted
        ├── NoAnswer          may have arrived: reset, closed, timed out
        └── Answered          an answer came, but not the one wanted
            ├── Refused       4xx: the Kiosk says no
            ├── Busy          408, 429 or 503: not processed, try later
            │   └── RedisRefused  500: the Kiosk's Redis refused the command
            ├── ServerFault   another 5xx: it may or may not have been processed
            ├── Redirected    3xx: not processed, it lives elsewhere
            └── BadAnswer     2xx, but not the JSON that the call promises
"""

from __future__ import annotations

from dataclasses import dataclass

MISTAKES_SHOWN = 20  # of those in one file


class KioskLocustError(Exception):
    """Base of all errors that this package raises on purpose."""

    @property
    def public(self) -> str:
        """The message for web pages, which others may read: it quotes no file."""
        return str(self)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One setting that cannot be used.

    ``source`` is the name the user gave it by (``--start-delay``, ``START_DELAY in .env``),
    ``value`` what was given, ``advice`` what is wrong and what would be right. ``told`` is the
    advice where value and advice quote a file of this machine, and others read.
    """

    source: str
    value: str
    advice: str
    told: str = ""

    @property
    def public(self) -> Mistake:
        """The same, with nothing of what a file holds."""
        return Mistake(self.source, "", self.told) if self.told else self

    def __str__(self) -> str:
        shown = f" = {self.value!r}" if self.value else ""
        return f"{self.source}{shown}: {self.advice}"


class OptionsError(KioskLocustError):
    """Settings that cannot be used; ``mistakes`` has all of them."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        count = "1 setting" if len(mistakes) == 1 else f"{len(mistakes)} settings"
        super().__init__(
            f"{count} cannot be used:\n" + "\n".join(f"  - {mistake}" for mistake in mistakes)
        )

    @property
    def public(self) -> str:
        """Every mistake, with nothing of what files hold."""
        if not any(mistake.told for mistake in self.mistakes):
            return str(self)
        return str(OptionsError([mistake.public for mistake in self.mistakes]))


class PreflightError(KioskLocustError):
    """The Kiosk was asked before the first job, and it cannot run this plan."""


class LedgerError(KioskLocustError):
    """The ledger cannot be opened or written."""


class LedgerExistsError(LedgerError):
    """A run of that name has a ledger already."""


class NewerLedgerError(LedgerError):
    """The ledger was made by a newer kiosk_locust."""


class RelayError(KioskLocustError):
    """A message between master and worker cannot be used, or none came."""


class WorkerError(KioskLocustError):
    """A worker cannot go on with its part of the run."""


class SimulatorError(KioskLocustError):
    """The simulated Kiosk did not start."""


class PageBusy(KioskLocustError):
    """A page cannot be made now, so that a run is not disturbed; it may be in a moment."""


class CostError(KioskLocustError):
    """What the run cost cannot be asked for, and what to do; nothing else suffers from it."""


class CostRefused(CostError):
    """A Grafana or a Prometheus answered with an error; ``status`` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class TextFileError(KioskLocustError, ValueError):
    """A text file that a user wrote cannot be read; the message says why, not which."""


class PriceFileError(KioskLocustError):
    """A price file cannot be used; ``mistakes`` has all of them, each with its line."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        shown = mistakes[:MISTAKES_SHOWN]
        if len(mistakes) > len(shown):
            shown.append(f"and {len(mistakes) - len(shown):,} more mistakes")
        super().__init__("; ".join(shown))


class ForecastError(KioskLocustError):
    """A benchmark's forecast cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How far a request came; epoch seconds, None for what it did not reach."""

    asked_at: float  # began to wait for a socket of the pool
    socket_at: float | None  # had one of the pool's places
    sent_at: float | None  # right before the first byte was given to the socket
    received_at: float | None  # the whole answer was there


class InputError(KioskLocustError):
    """A file that is to be uploaded is gone, cannot be read, or is not as it was planned."""


class ReusedName(KioskLocustError):
    """An upload was given the name of an earlier one, which may hold another file."""


class DownloadError(KioskLocustError):
    """What a job made did not arrive whole; ``may_pass``: another try may do better."""

    def __init__(self, message: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.may_pass = may_pass


class BucketError(KioskLocustError):
    """The bucket did not do what it was asked for."""


class BucketMissing(BucketError):
    """There is no such bucket, or no such folder."""


class NotPermitted(BucketError):
    """The bucket may not be used like that by whoever asks."""


class NoCredentials(BucketError):
    """There are no credentials, or they are not accepted."""


class NoSuchObject(BucketError):
    """The bucket has nothing of that name."""


class NameTaken(BucketError):
    """Something else has that name already; it was not touched."""


class DamagedObject(BucketError):
    """What arrived is not what was sent: checksums differ."""


class BucketUnreachable(BucketError):
    """No answer came, or faults did not pass in time; it may work later."""


class KioskError(KioskLocustError):
    """An HTTP call to the Kiosk did not give a usable answer; ``timing`` is how far it came."""

    timing: Timing | None = None  # set by the transport and the client

    def __repr__(self) -> str:
        """Its words alone: Locust's report of errors shows them so."""
        return str(self)


class Unreachable(KioskError):
    """The request was surely not sent, so repeating it is safe."""


class Withdrawn(Unreachable):
    """The request was not sent, since by then it was no longer wanted."""


class NoAnswer(KioskError):
    """The request may have arrived, and no whole answer came back.

    ``sent_whole``: a body that is sent in pieces, as an upload's, was sent to its end before.
    """

    def __init__(self, message: str, *, sent_whole: bool = False) -> None:
        super().__init__(message)
        self.sent_whole = sent_whole


class Answered(KioskError):
    """An answer came, but not the one wanted; ``status`` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Refused(Answered):
    """4xx: the Kiosk, or what stands before it, says no; nothing was done."""


class Busy(Answered):
    """408, 429 or 503: not processed; ``retry_after_s`` is the wait asked for, if any."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s


class RedisRefused(Busy):
    """500 that names the command which the Kiosk's Redis refused: no job runs.

    ``orphan`` is the key of the hash that was made and stands in no queue, so that no consumer
    ever takes it; empty where none was made.
    """

    def __init__(self, message: str, *, status: int, orphan: str = "") -> None:
        super().__init__(message, status=status, retry_after_s=None)
        self.orphan = orphan


class ServerFault(Answered):
    """Another 5xx; the request may or may not have been processed."""


class Redirected(Answered):
    """3xx: not processed; ``location`` is where it lives now (empty if not said)."""

    def __init__(self, message: str, *, status: int, location: str) -> None:
        super().__init__(message, status=status)
        self.location = location


class BadAnswer(Answered):
    """2xx, but not the JSON that the call promises."""


class TooLarge(BadAnswer):
    """2xx, and more of it than is read."""
