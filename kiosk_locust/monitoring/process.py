"""Measurement of this process in a run: event loop, CPU, memory, sockets, and server silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import gevent

from kiosk_locust.client.exchange import RequestSample
from kiosk_locust.clock import Clock
from kiosk_locust.errors import Answered
from kiosk_locust.measurement.histogram import DurationHistogram
from kiosk_locust.measurement.process_figures import ProcessFigures
from kiosk_locust.monitoring.event_loop import LoopWatch

#: Shorter runs are judged as if the rest of this time (s) had been without delay.
LOOP_LEAST_S = 30.0
CPU_LEAST_S = 10.0
#: Shorter pauses between responses (s) are no silence.
LEAST_SILENCE_S = 1.0
#: Longest silences kept: parts of them may be this process's own stalls.
_MOST_SILENCES = 50
#: Shorter waits for a socket (s) tell nothing about its holder.
LEAST_WAIT_S = 0.05
UPLOAD = "/api/upload"
#: Paths of jobs' calls; preflight and expiry calls are excluded.
JOBS_CALLS = frozenset({"/api/predict", "/api/redis", UPLOAD})


class Silence:
    """The longest time without any response while a request was open."""

    def __init__(self) -> None:
        self._answered_at: float | None = None
        self._has_answer = False
        self._pauses: deque[tuple[float, float]] = deque(maxlen=20)
        self._noted: list[tuple[float, float]] = []  # the longest silences, from and to

    @property
    def longest_s(self) -> float | None:
        """Seconds; None without requests, or if no response came and no silence was long."""
        return self.longest_without(())

    def longest_without(self, stalls: Iterable[tuple[float, float]]) -> float | None:
        """Like `longest_s`, less the times (from, to) in which this process itself stood still."""
        stalls = tuple(stalls)
        lengths = [to - from_ - _overlap(from_, to, stalls) for from_, to in self._noted]
        return max(lengths, default=0.0 if self._has_answer else None)

    def answered(self, at: float) -> None:
        """Note a response to a request whose duration is not informative, such as an upload."""
        if self._answered_at is not None:
            self._answered_at = max(at, self._answered_at)

    def ended(self, start_at: float, ended_at: float, *, has_response: bool) -> None:
        """Note the end of a request, with or without a response."""
        if self._answered_at is None:
            self._answered_at = start_at
        since_s = ended_at - self._answered_at
        if since_s >= LEAST_SILENCE_S:
            self._note(max(start_at, self._answered_at), ended_at)
        for from_, to in self._pauses:  # the request that waited longest may be answered last
            self._note(max(start_at, from_), min(ended_at, to))
        if has_response:
            if since_s >= LEAST_SILENCE_S:
                self._pauses.append((self._answered_at, ended_at))
            self._answered_at = max(ended_at, self._answered_at)
            self._has_answer = True

    def _note(self, from_: float, to: float) -> None:
        if to <= from_:
            return
        self._noted.append((from_, to))
        if len(self._noted) > 2 * _MOST_SILENCES:
            self._noted.sort(key=lambda silence: silence[0] - silence[1])
            del self._noted[_MOST_SILENCES:]


def _overlap(from_: float, to: float, stalls: Iterable[tuple[float, float]]) -> float:
    return sum(max(0.0, min(to, until) - max(from_, since)) for since, until in stalls)


class Outage:
    """Failed calls of jobs, and the longest time with failures only."""

    def __init__(self) -> None:
        self.failed = 0
        self.longest_s = 0.0
        self._since: float | None = None  # start of the first failed call

    def on_request(self, sample: RequestSample) -> None:
        """Note the end of a call."""
        ended_at = sample.started_at + sample.response_time_s
        if self._since is not None:
            self.longest_s = max(self.longest_s, ended_at - self._since)
        if not _has_failed(sample.error):
            self._since = None
            return
        self.failed += 1
        if self._since is None:
            self._since = sample.started_at


def _has_failed(error: Exception | None) -> bool:
    """Tell if the Kiosk, or the way to it, was down or busy; a refusal (4xx) is a response."""
    if not isinstance(error, Answered):
        return error is not None
    return error.status < 300 or error.status >= 500 or error.status in (408, 429)


class Watch:
    """Measurement from ``start`` to ``stop``; ``figures`` works at any time.

    Anything outside does not count: neither calls before the first due time nor the end of a run.
    Of requests, those of jobs count: submissions, polls and uploads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = LoopWatch(clock)
        self._sockets = DurationHistogram()
        self._held_s = 0.0  # total time of requests that had waited for a socket
        self._waited = 0
        self._silence = Silence()
        self._outage = Outage()
        self._replies = DurationHistogram()
        self._greenlet: gevent.Greenlet | None = None
        self._is_on = False
        self._final: ProcessFigures | None = None

    def start(self, at: float | None = None) -> None:
        """Start at a moment of the clock, by default now."""
        self._greenlet = gevent.spawn(self._run, at)

    def begin(self) -> None:
        """Count from now on."""
        self._loop = LoopWatch(self._clock)
        self._is_on = True

    def stop(self) -> None:
        """Stop counting; the figures stay unchanged."""
        if self._greenlet is not None:
            self._greenlet.kill()
        if self._final is None:
            self._final = self.figures()
        self._is_on = False

    def _run(self, at: float | None) -> None:
        if at is not None and (left_s := at - self._clock.now()) > 0:
            self._clock.sleep(left_s)
        self.begin()
        self._loop.run()

    def on_request(self, sample: RequestSample) -> None:
        """Note the end of a request to the Kiosk."""
        if not self._is_on or sample.name not in JOBS_CALLS:
            return
        self._sockets.add(sample.socket_wait_s)
        if sample.socket_wait_s >= LEAST_WAIT_S:
            self._waited += 1
            self._held_s += sample.response_time_s
        self._outage.on_request(sample)
        has_response = sample.error is None or isinstance(sample.error, Answered)
        ended_at = sample.started_at + sample.response_time_s
        if sample.name != UPLOAD:
            self._silence.ended(sample.started_at, ended_at, has_response=has_response)
        elif has_response:  # an upload's duration is mostly our own sending
            self._silence.answered(ended_at)

    def on_reply(self, after_s: float, beat_s: float) -> None:
        """Note the master's reply to a report, of which there is one each ``beat_s`` at least."""
        if self._is_on:
            self._replies.add(after_s, beat_s)

    def figures(self) -> ProcessFigures:
        """Present figures, or those at the stop."""
        if self._final is not None:
            return self._final
        loop = self._loop.figures()
        return ProcessFigures(
            watched_s=loop.watched_s if self._is_on else 0.0,
            loop_delay_p50_s=loop.delay_p50_s,
            loop_delay_p99_s=loop.delay_p99_s,
            loop_delay_max_s=loop.delay_max_s,
            cpu_share=loop.cpu_share if self._is_on else None,
            memory_bytes=loop.memory_bytes,
            requests=self._sockets.count,
            socket_wait_p99_s=self._sockets.percentile_s(99),
            socket_wait_max_s=self._sockets.percentile_s(100),
            silence_s=self._silence.longest_without(self._loop.stalls),
            master_reply_p99_s=self._replies.percentile_s(99),
            judged_loop_delay_s=self._loop.delay_over_s(LOOP_LEAST_S),
            judged_cpu_share=self._loop.cpu_over(CPU_LEAST_S) if self._is_on else None,
            judged_socket_wait_s=self._sockets.least_p99_s(),
            socket_held_s=self._held_s / self._waited if self._waited else None,
            failed_calls=self._outage.failed,
            outage_s=self._outage.longest_s if self._sockets.count else None,
        )
