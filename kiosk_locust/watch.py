"""A process of a run watches itself: its event loop, CPU, memory, sockets, and who answers it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import gevent

from kiosk_locust.clock import Clock
from kiosk_locust.errors import Answered
from kiosk_locust.histogram import Histogram
from kiosk_locust.http.exchange import RequestSample
from kiosk_locust.quality.eventloop import LoopWatch
from kiosk_locust.quality.processes import ProcessFigures
from kiosk_locust.quality.tails import least_p99_percent
from kiosk_locust.refusals import Refusals

#: A run that is shorter is judged as if the rest of this time had been without a delay.
LOOP_LEAST_S = 30.0
CPU_LEAST_S = 10.0
#: Shorter pauses between answers are no silence.
LEAST_SILENCE_S = 1.0
_US = 1_000_000
_LONGEST_US = 24 * 3600 * _US


class Waits:
    """How long something took, from many times, in constant memory."""

    def __init__(self) -> None:
        self._histogram = Histogram(_LONGEST_US)
        self.count = 0

    def add(self, time_s: float, expected_s: float = 0.0) -> None:
        """One more; where they come each ``expected_s``, a long one has swallowed others."""
        self.count += 1
        time_us = min(_LONGEST_US, round(time_s * _US))
        self._histogram.add(time_us)
        if expected_s:
            expected_us = round(expected_s * _US)
            while 0 < expected_us < time_us:
                time_us -= expected_us
                self._histogram.add(time_us)

    def percentile_s(self, percent: float) -> float | None:
        """The percentile in seconds; None of none."""
        if not self.count:
            return None
        value: int = self._histogram.whole.get_value_at_percentile(percent)
        return value / _US

    def also(self, times_s: Iterable[float], shorter: int = 0) -> Waits:
        """These times and some more, apart; ``shorter`` is how many there are of no matter."""
        both = Waits()
        both._histogram.whole.add(self._histogram.whole)
        both.count = self.count + shorter
        if shorter:
            both._histogram.whole.record_value(1, shorter)
        for time_s in times_s:
            both.add(time_s)
        return both

    def least_p99_s(self) -> float | None:
        """The lower bound of the p99 that rules go by, in seconds; None of too few."""
        percent = least_p99_percent(self.count)
        return None if percent is None else self.percentile_s(percent)


class Silence:
    """The longest time without any answer while a request was awaited."""

    def __init__(self) -> None:
        self.longest_s: float | None = None
        self._answered_at: float | None = None
        self._pauses: deque[tuple[float, float]] = deque(maxlen=20)

    def ended(self, began_at: float, ended_at: float, *, answered: bool) -> None:
        """A request that was awaited between two moments has an answer, or never got one."""
        if self._answered_at is None:
            self._answered_at = began_at
        since_s = ended_at - self._answered_at
        if since_s >= LEAST_SILENCE_S:
            self._note(max(began_at, self._answered_at), ended_at)
        for from_, to in self._pauses:  # who waited longest may be answered last
            self._note(max(began_at, from_), min(ended_at, to))
        if answered:
            if since_s >= LEAST_SILENCE_S:
                self._pauses.append((self._answered_at, ended_at))
            self._answered_at = max(ended_at, self._answered_at)
            self.longest_s = self.longest_s or 0.0

    def _note(self, from_: float, to: float) -> None:
        self.longest_s = max(self.longest_s or 0.0, to - from_)


class Watch:
    """Watches from ``start`` to ``stop``; ``figures`` may be asked at any time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = LoopWatch(clock)
        self._sockets = Waits()
        self._silence = Silence()
        self._refusals = Refusals()
        self._replies = Waits()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin; what was before does not count."""
        self._loop = LoopWatch(self._clock)
        self._greenlet = gevent.spawn(self._loop.run)

    def stop(self) -> None:
        """Measure the loop no more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def on_request(self, sample: RequestSample) -> None:
        """A request to the Kiosk has ended."""
        self._sockets.add(sample.socket_wait_s)
        answered = sample.error is None or isinstance(sample.error, Answered)
        ended_at = sample.started_at + sample.response_time_s
        self._silence.ended(sample.started_at, ended_at, answered=answered)
        self._refusals.on_request(sample)

    def on_reply(self, after_s: float, beat_s: float) -> None:
        """The master has answered a report, of which there is one each ``beat_s`` at least."""
        self._replies.add(after_s, beat_s)

    def figures(self) -> ProcessFigures:
        """What there is by now."""
        loop = self._loop.figures()
        return ProcessFigures(
            watched_s=loop.watched_s,
            loop_delay_p50_s=loop.delay_p50_s,
            loop_delay_p99_s=loop.delay_p99_s,
            loop_delay_max_s=loop.delay_max_s,
            cpu_share=loop.cpu_share,
            memory_bytes=loop.memory_bytes,
            requests=self._sockets.count,
            socket_wait_p99_s=self._sockets.percentile_s(99),
            socket_wait_max_s=self._sockets.percentile_s(100),
            silence_s=self._silence.longest_s,
            master_reply_p99_s=self._replies.percentile_s(99),
            judged_loop_delay_s=self._loop.delay_over_s(LOOP_LEAST_S),
            judged_cpu_share=self._loop.cpu_over(CPU_LEAST_S),
            judged_socket_wait_s=self._sockets.least_p99_s(),
        )
