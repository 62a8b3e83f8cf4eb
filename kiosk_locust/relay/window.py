"""Numbered batches over a network that drops, delays, doubles and reorders."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from kiosk_locust.relay.news import Batch, News

#: So many batches may be under way at once; Locust's sockets drop beyond a thousand messages.
WINDOW = 32
#: Where somebody waits for what was said, it waits so long for company, in seconds.
HURRY_S = 0.03
#: A batch has at most so much news, so that no message is large.
MOST_NEWS = 200


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
        due = [batch for batch, at in self._sent.values() if at + self._resend_s <= now]
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
        size = min(MOST_NEWS, len(self._waiting))
        news = tuple(self._waiting.popleft() for _ in range(size))
        if not self._waiting:
            self._ready_at = None
        self._last += 1
        batch = Batch(self._last, news)
        self._sent[batch.number] = (batch, -float("inf"))  # not yet sent: due at once
        self._said_by[batch.number] = self.said - len(self._waiting)


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
