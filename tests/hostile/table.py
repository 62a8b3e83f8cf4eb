"""The matrix: what becomes of a ticket, for each call, each fault, and each time that it lasts.

It parametrises the tests, and `python -m benchmarks.hostile --table` prints it for the docs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tests.hostile.faults import BY_NAME, Fault

ONCE, WHILE, EVER = "once", "for 20 s", "for ever"
SPELLS = (ONCE, WHILE, EVER)
HEALTH, TYPES, UPLOAD = "health", "job types", "upload"
SUBMIT, POLL, EXPIRE, DOWNLOAD = "submission", "poll", "expiry", "download"
CALLS = (HEALTH, TYPES, UPLOAD, SUBMIT, POLL, EXPIRE, DOWNLOAD)
#: A number of submissions that is bounded by RETRY_BUDGET alone.
MANY = 10**6
NO_START = "no start"


@dataclass(frozen=True)
class End:
    """What becomes of a run of one ticket.

    ``outcome`` is the ticket's, or that the run does not start. ``submissions`` are the
    requests for a job that reach the Kiosk, and ``jobs`` what it makes of them at worst, both from
    the least to the most. ``ambiguous`` None: it depends on the moment of a reset. ``words`` are in
    what the user is told: why it did not start, the ticket's reason, or the note on it.
    """

    outcome: str
    exit_code: int
    submissions: tuple[int, int] = (1, 1)
    jobs: tuple[int, int] = (1, 1)
    ambiguous: bool | None = False
    words: str = ""

    def __str__(self) -> str:
        """A cell of the table."""
        if self.outcome == NO_START:
            return f"the run does not start: “{self.words}”; exit {self.exit_code}"
        parts = [f"`{self.outcome}`"]
        if self.submissions != (1, 1) or self.jobs != (1, 1):
            parts.append(f"{_range(self.submissions, 'submission')}, {_range(self.jobs, 'job')}")
        if self.ambiguous is not False:
            parts.append("ambiguous" if self.ambiguous else "perhaps ambiguous")
        if self.words:
            parts.append(f"“{self.words}”")
        return "; ".join([*parts, f"exit {self.exit_code}"])


@dataclass(frozen=True)
class Row:
    """A call and faults that have the same ends."""

    call: str
    faults: tuple[str, ...]
    ends: tuple[End, End, End]  # in the order of SPELLS


class Cell(NamedTuple):
    """One run to be played."""

    call: str
    fault: Fault
    spell: str
    end: End

    @property
    def name(self) -> str:
        """For a test's name, and a line of results."""
        return f"{self.call}, {self.fault.name}, {self.spell}"


def _range(bounds: tuple[int, int], noun: str) -> str:
    least, most = bounds
    if most == MANY:
        return f"{noun}s until RETRY_BUDGET" if least else f"any number of {noun}s"
    number = f"{least}" if least == most else f"{least} to {most}"
    return f"{number} {noun}" + ("" if number == "1" else "s")


REFUSED, EARLY, LATE = ("refused",), ("reset before the request is read",), ("reset after it",)
SLOW = ("hang", "slow drip")
MOVED = ("30x loop",)
NO = ("400", "401", "403", "404", "413")
BUSY = ("408", "429", "429 with seconds", "429 with a date", "503", "500 of Redis")
OFTEN, GATEWAY = ("500", "502 HTML"), ("504",)
BROKEN = (*OFTEN, *GATEWAY)
UNFIT = ("invalid JSON", "JSON of another shape", "login page as 200", "invalid UTF-8")
TOO_MUCH = ("100 MB body", "gzip bomb")
TYPED = ("wrong content type",)

DONE = End("done", 0)


def _stays_out(words: str) -> End:
    return End(NO_START, 2, (0, 0), (0, 0), words=words)


def _start(call: str) -> tuple[Row, ...]:
    """Before the first job: what may pass is tried again for 5 s."""
    away = _stays_out("the Kiosk cannot be reached")
    silent = _stays_out("the Kiosk does not answer")
    busy = _stays_out("too busy to start a run")
    fault = _stays_out("the Kiosk has a fault")
    no = _stays_out("API_HOST does not serve the Kiosk's API there")
    unfit = _stays_out("API_HOST does not seem to be a Kiosk")
    early = _stays_out("the Kiosk ")
    moved = _stays_out("redirects to" if call == HEALTH else "the Kiosk lives elsewhere")
    # The first of two health checks only finds out where the Kiosk lives.
    first = call == HEALTH
    return (
        Row(call, REFUSED, (DONE, away, away)),
        Row(call, EARLY, (DONE, early, early)),
        Row(call, LATE, (DONE, silent, silent)),
        Row(call, SLOW, (silent, silent, silent)),
        Row(call, MOVED, (moved, moved, moved)),
        Row(call, NO, (DONE if first else no, no, no)),
        Row(call, BUSY, (DONE, busy, busy)),
        Row(call, BROKEN, (DONE, fault, fault)),
        Row(call, UNFIT, (DONE if first else unfit, unfit, unfit)),
        Row(call, TOO_MUCH, (unfit, unfit, unfit)),
        Row(call, TYPED, (DONE, DONE, DONE)),
    )


def _never(words: str, outcome: str = "error", exit_code: int = 2) -> End:
    """A ticket that ends before its job is submitted."""
    return End(outcome, exit_code, (0, 0), (0, 0), words=words)


_REJECTED = _never("its file was refused", "rejected", 1)
_ELSEWHERE = _never("not uploaded")

_UPLOAD = (
    Row(
        UPLOAD,
        (*REFUSED, *EARLY, *BUSY, *OFTEN, *UNFIT, *TOO_MUCH),
        (DONE, DONE, _never("not uploaded")),
    ),
    Row(UPLOAD, (*LATE, *SLOW, *GATEWAY), (DONE, DONE, _never("perhaps uploaded"))),
    Row(UPLOAD, MOVED, (_ELSEWHERE, _ELSEWHERE, _ELSEWHERE)),
    Row(UPLOAD, NO, (_REJECTED, _REJECTED, _REJECTED)),
    Row(UPLOAD, TYPED, (DONE, DONE, DONE)),
)

_AGAIN = End("done", 0, (2, 2), (2, 2), ambiguous=True)
_AGAIN_OR_TWICE = End("done", 0, (2, 3), (2, 3), ambiguous=True)
_PERHAPS = End("error", 2, (3, 3), (3, 3), ambiguous=True, words="perhaps submitted")
_EARLY_AGAIN = End("done", 0, ambiguous=None)
_EARLY_NEVER = End("error", 2, (0, 0), (0, 0), ambiguous=None, words="submitted")
_NOT_MOVED = End("error", 2, (1, 1), (0, 0), words="not submitted")
_NO_JOB = End("rejected", 1, (1, 1), (0, 0))

_SUBMIT = (
    Row(SUBMIT, REFUSED, (DONE, DONE, _never("not submitted"))),
    Row(SUBMIT, EARLY, (_EARLY_AGAIN, _EARLY_AGAIN, _EARLY_NEVER)),
    Row(
        SUBMIT,
        (*LATE, *SLOW, *BROKEN, *UNFIT, *TOO_MUCH),
        (_AGAIN, _AGAIN_OR_TWICE, _PERHAPS),
    ),
    Row(SUBMIT, MOVED, (_NOT_MOVED, _NOT_MOVED, _NOT_MOVED)),
    Row(SUBMIT, NO, (_NO_JOB, _NO_JOB, _NO_JOB)),
    Row(
        SUBMIT,
        BUSY,
        (
            End("done", 0, (2, 2), (1, 1)),
            End("done", 0, (2, MANY), (1, 1)),
            End("error", 2, (2, MANY), (0, 0), words="not submitted"),
        ),
    ),
    Row(SUBMIT, TYPED, (DONE, DONE, DONE)),
)

_UNREAD = End("error", 2, words="its status could not be read")
_ALL_BUT_TYPED = tuple(name for name in BY_NAME if name not in TYPED)
_POLL = (
    Row(POLL, _ALL_BUT_TYPED, (DONE, DONE, _UNREAD)),
    Row(POLL, TYPED, (DONE, DONE, DONE)),
)


def _noted(words: str) -> End:
    return End("done", 0, words=words)


_EXPIRE = (
    Row(EXPIRE, REFUSED, (DONE, _noted("was not sent"), _noted("was not sent"))),
    Row(EXPIRE, EARLY, (DONE, _noted("/api/redis/expire"), _noted("/api/redis/expire"))),
    Row(EXPIRE, LATE, (DONE, _noted("may have been processed"), _noted("may have been processed"))),
    Row(EXPIRE, SLOW, (DONE, DONE, _noted("no whole answer came"))),
    Row(
        EXPIRE,
        (*MOVED, *NO, *BUSY, *BROKEN, *UNFIT, *TOO_MUCH),
        (DONE, _noted("answered"), _noted("answered")),
    ),
    Row(EXPIRE, TYPED, (DONE, DONE, DONE)),
)

_DOWNLOAD = (
    Row(DOWNLOAD, (*REFUSED, *EARLY, *LATE), (DONE, DONE, _noted("broke off"))),
    Row(DOWNLOAD, ("hang",), (DONE, DONE, _noted("broke off"))),
    Row(DOWNLOAD, ("slow drip",), (DONE, DONE, _noted("dripped"))),
    Row(DOWNLOAD, MOVED, (DONE, _noted("leads to none"), _noted("leads to none"))),
    Row(DOWNLOAD, NO, (_noted("answered 4"),) * 3),
    Row(DOWNLOAD, (*BUSY, *BROKEN), (DONE, DONE, _noted("answered"))),
    Row(DOWNLOAD, (*UNFIT, "100 MB body"), (DONE, DONE, _noted("a ZIP that is not whole"))),
    Row(DOWNLOAD, ("gzip bomb",), (_noted("in an encoding that was not asked for"),) * 3),
    Row(DOWNLOAD, TYPED, (DONE, DONE, DONE)),
)

ROWS = (*_start(HEALTH), *_start(TYPES), *_UPLOAD, *_SUBMIT, *_POLL, *_EXPIRE, *_DOWNLOAD)


def cells() -> Iterator[Cell]:
    """Every call with every fault for every time."""
    for row in ROWS:
        for name in row.faults:
            for spell, end in zip(SPELLS, row.ends, strict=True):
                yield Cell(row.call, BY_NAME[name], spell, end)


def markdown() -> str:
    """The table as the docs have it."""
    heads = ("call", "what goes wrong", *SPELLS)
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in ROWS:
        same = len(set(row.ends)) == 1
        ends = (str(row.ends[0]), "the same", "the same") if same else map(str, row.ends)
        many = row.faults == _ALL_BUT_TYPED
        faults = f"anything but: {TYPED[0]}" if many else ", ".join(row.faults)
        lines.append(f"| {' | '.join((row.call, faults, *ends))} |")
    return "\n".join(lines)
