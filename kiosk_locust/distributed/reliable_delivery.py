"""Numbered batches over a network that drops, delays, doubles and reorders."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from kiosk_locust.model.ticket_events import Batch, News

#: So many batches may be under way at once; Locust's sockets drop beyond a thousand messages.
WINDOW = 32
#: Where somebody waits for what was said, it waits so long for company, in seconds.
HURRY_S = 0.03
#: A batch has at most so much news, and the batches that are sent at a time so many characters of
#: jobs' fields (but for one piece of news that has more), so that no message is large.
MOST_NEWS, MOST_TEXT = 200, 1 << 20


class Sender:
    """A worker's news on their way: batched, numbered, sent again until acknowledged.

    ``linger_s`` is how long news wait for company, unless urgent news wait with them;
    ``resend_s`` how long an acknowledgement may take.
    """

    def __init__(self, *, linger_s: float, resend_s: float) -> None:
        self._linger_s = linger_s
        self._resend_s = resend_s
        self._waiting: deque[News] = deque()
        self._ready_at: float | None = None  # when the news that wait are to be sent
        self._sent: OrderedDict[int, tuple[Batch, float]] = OrderedDict()
        self._last = 0
        self.said = 0  # pieces of news so far
        self._said_by: dict[int, int] = {}  # batch number: pieces of news up to its end
        self.acknowledged = 0  # pieces of news that the other side has taken in

    @property
    def is_empty(self) -> bool:
        """Whether everything that was said was acknowledged."""
        return self.acknowledged == self.said

    def say(self, news: News, now: float, *, urgent: bool = False) -> int:
        """Send ``news`` soon; it is over there once ``acknowledged`` is what this returns."""
        self._waiting.append(news)
        self.said += 1
        ready_at = now if urgent else now + self._linger_s
        self._ready_at = ready_at if self._ready_at is None else min(self._ready_at, ready_at)
        return self.said

    def hurry(self, now: float) -> None:
        """Somebody waits for what was said."""
        if self._ready_at is not None:
            self._ready_at = min(self._ready_at, now + HURRY_S)

    def is_due(self, now: float) -> bool:
        """Whether ``outgoing`` has something."""
        if self._may_seal(now):
            return True
        return any(sent_at + self._resend_s <= now for _, sent_at in self._sent.values())

    def outgoing(self, now: float) -> tuple[Batch, ...]:
        """The batches to send now: new ones, and those that took too long."""
        while self._may_seal(now):
            self._seal()
        due: list[Batch] = []
        text = 0
        for batch, sent_at in self._sent.values():
            if sent_at + self._resend_s > now:
                continue
            text += sum(map(_text_of, batch.news))
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
        return self._ready_at <= now or len(self._waiting) >= MOST_NEWS

    def _seal(self) -> None:
        news: list[News] = []
        text = 0
        while self._waiting and len(news) < MOST_NEWS:
            text += _text_of(self._waiting[0])
            if news and text > MOST_TEXT:
                break
            news.append(self._waiting.popleft())
        if not self._waiting:
            self._ready_at = None
        self._last += 1
        batch = Batch(self._last, tuple(news))
        self._sent[batch.number] = (batch, -float("inf"))  # not yet sent: due at once
        self._said_by[batch.number] = self.said - len(self._waiting)


def _text_of(news: News) -> int:
    """Characters of what can be large of it."""
    fields = news.closed.fields if news.closed else None
    return sum(map(len, fields.values())) if fields else 0


class Receiver:
    """The other side: each batch once, and in order."""

    def __init__(self) -> None:
        self.taken = 0  # the number of the last batch that was taken in
        self._ahead: dict[int, Batch] = {}

    def receive(self, batches: Iterable[Batch]) -> list[News]:
        """What is to be taken in now, in order."""
        for batch in batches:
            if self.taken < batch.number <= self.taken + 2 * WINDOW:  # what is left out comes again
                self._ahead[batch.number] = batch
        news: list[News] = []
        while batch_next := self._ahead.pop(self.taken + 1, None):
            self.taken += 1
            news.extend(batch_next.news)
        return news
