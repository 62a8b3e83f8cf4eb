"""Numbered batches over a network that drops, delays, doubles and reorders."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from kiosk_locust.distributed.messages import Terms
from kiosk_locust.model.ticket_events import Batch, Closed, Entry

#: So many batches may be under way at once; Locust's sockets drop beyond a thousand messages.
WINDOW = 32
#: Where somebody waits for what was said, it waits so long for company, in seconds.
HURRY_S = 0.03
#: A batch has at most so many entries, and the batches that are sent at a time so many characters
#: of jobs' fields (but for one entry that has more), so that no message is large.
MOST_ENTRIES, MOST_TEXT = 200, 1 << 20


class Sender:
    """A worker's entries on their way: batched, numbered, sent again until acknowledged.

    Entries wait ``linger_s`` of the terms for company, unless an urgent one waits with them; an
    acknowledgement may take ``resend_s``.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._waiting: deque[Entry] = deque()
        self._ready_at: float | None = None  # when the entries that wait are to be sent
        self._sent: OrderedDict[int, tuple[Batch, float]] = OrderedDict()
        self._last = 0
        self.said = 0  # entries so far
        self._said_by: dict[int, int] = {}  # batch number: entries up to its end
        self.acknowledged = 0  # entries that the other side has taken in

    @property
    def is_empty(self) -> bool:
        """True if everything that was said was acknowledged."""
        return self.acknowledged == self.said

    def say(self, entry: Entry, now: float, *, urgent: bool = False) -> int:
        """Send ``entry`` soon; it is over there once ``acknowledged`` is what this returns."""
        self._waiting.append(entry)
        self.said += 1
        ready_at = now if urgent else now + self._terms.linger_s
        self._ready_at = ready_at if self._ready_at is None else min(self._ready_at, ready_at)
        return self.said

    def hurry(self, now: float) -> None:
        """Somebody waits for what was said."""
        if self._ready_at is not None:
            self._ready_at = min(self._ready_at, now + HURRY_S)

    def is_due(self, now: float) -> bool:
        """True if ``outgoing`` has something."""
        if self._may_seal(now):
            return True
        return any(sent_at + self._terms.resend_s <= now for _, sent_at in self._sent.values())

    def outgoing(self, now: float) -> tuple[Batch, ...]:
        """The batches to send now: new ones, and those that took too long."""
        while self._may_seal(now):
            self._seal()
        due: list[Batch] = []
        text = 0
        for batch, sent_at in self._sent.values():
            if sent_at + self._terms.resend_s > now:
                continue
            text += sum(map(_text_chars, batch.entries))
            if due and text > MOST_TEXT:  # the rest comes with the next report
                break
            due.append(batch)
        for batch in due:
            self._sent[batch.number] = (batch, now)
        return tuple(due)

    def acknowledge(self, number: int) -> None:
        """The other side holds every batch up to ``number``."""
        while self._sent and next(iter(self._sent)) <= number:
            done, _ = self._sent.popitem(last=False)
            self.acknowledged = self._said_by.pop(done)

    def _may_seal(self, now: float) -> bool:
        if self._ready_at is None or len(self._sent) >= WINDOW:
            return False
        return self._ready_at <= now or len(self._waiting) >= MOST_ENTRIES

    def _seal(self) -> None:
        entries: list[Entry] = []
        text = 0
        while self._waiting and len(entries) < MOST_ENTRIES:
            text += _text_chars(self._waiting[0])
            if entries and text > MOST_TEXT:
                break
            entries.append(self._waiting.popleft())
        if not self._waiting:
            self._ready_at = None
        self._last += 1
        batch = Batch(self._last, tuple(entries))
        self._sent[batch.number] = (batch, -float("inf"))  # not yet sent: due at once
        self._said_by[batch.number] = self.said - len(self._waiting)


def _text_chars(entry: Entry) -> int:
    """The characters of the part of it that can be large."""
    fields = entry.event.fields if isinstance(entry.event, Closed) else None
    return sum(map(len, fields.values())) if fields else 0


class Receiver:
    """The other side: each batch once, and in order."""

    def __init__(self) -> None:
        self.taken = 0  # the number of the last batch that was taken in
        self._ahead: dict[int, Batch] = {}

    def receive(self, batches: Iterable[Batch]) -> list[Entry]:
        """The entries to be taken in now, in order."""
        for batch in batches:
            if self.taken < batch.number <= self.taken + 2 * WINDOW:  # what is left out comes again
                self._ahead[batch.number] = batch
        entries: list[Entry] = []
        while batch_next := self._ahead.pop(self.taken + 1, None):
            self.taken += 1
            entries.extend(batch_next.entries)
        return entries
