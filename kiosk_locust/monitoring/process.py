"""A process of a run watches itself: its event loop, CPU, memory, sockets, and who answers it."""

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

#: A run that is shorter is judged as if the rest of this time had been without a delay.
LOOP_LEAST_S = 30.0
CPU_LEAST_S = 10.0
#: Shorter pauses between answers are no silence.
LEAST_SILENCE_S = 1.0
#: So many silences are kept, the longest ones: a part of each may be this process's own.
_SILENCES_KEPT = 50
#: Shorter waits for a socket say nothing of who held it.
LEAST_WAIT_S = 0.05
UPLOAD = "/api/upload"
#: What jobs ask the Kiosk for. Preflight's calls and those that let a hash expire are not theirs.
JOBS_CALLS = frozenset({"/api/predict", "/api/redis", UPLOAD})


class Silence:
    """The longest time without any answer while a request was awaited."""

    def __init__(self) -> None:
        self._answered_at: float | None = None
        self._has_answer = False
        self._pauses: deque[tuple[float, float]] = deque(maxlen=20)
        self._noted: list[tuple[float, float]] = []  # the longest silences: from and to

    @property
    def longest_s(self) -> float | None:
        """Seconds; None where nothing was asked, or no answer ever came and nothing was long."""
        return self.longest_without(())

    def longest_without(self, stalls: Iterable[tuple[float, float]]) -> float | None:
        """The same, less the times (from, to) in which this process itself stood still."""
        stalls = tuple(stalls)
        lengths = [to - from_ - _overlap(from_, to, stalls) for from_, to in self._noted]
        return max(lengths, default=0.0 if self._has_answer else None)

    def answered(self, at: float) -> None:
        """An answer came to a request whose own duration says nothing, as an upload's."""
        if self._answered_at is not None:
            self._answered_at = max(at, self._answered_at)

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
            self._has_answer = True

    def _note(self, from_: float, to: float) -> None:
        if to <= from_:
            return
        self._noted.append((from_, to))
        if len(self._noted) > 2 * _SILENCES_KEPT:
            self._noted.sort(key=lambda silence: silence[0] - silence[1])
            del self._noted[_SILENCES_KEPT:]


def _overlap(from_: float, to: float, stalls: Iterable[tuple[float, float]]) -> float:
    return sum(max(0.0, min(to, until) - max(from_, since)) for since, until in stalls)


class Outage:
    """The jobs' calls that got no usable answer, and the longest time with none but these."""

    def __init__(self) -> None:
        self.failed = 0
        self.longest_s = 0.0
        self._since: float | None = None  # when the first call began that failed

    def on_request(self, sample: RequestSample) -> None:
        """A call has ended."""
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
    """Whether the Kiosk, or the way to it, was away or busy; a plain no (4xx) is an answer."""
    if not isinstance(error, Answered):
        return error is not None
    return error.status < 300 or error.status >= 500 or error.status in (408, 429)


class Watch:
    """Watches from ``start`` to ``stop``; ``figures`` may be asked at any time.

    What is outside of that does not count: neither the calls before the first job is due nor
    what the end of a run does. Of requests, those of jobs count: submissions, polls and uploads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = LoopWatch(clock)
        self._sockets = DurationHistogram()
        self._held_s = 0.0  # by requests that had waited for a socket, in sum
        self._waited = 0
        self._silence = Silence()
        self._outage = Outage()
        self._replies = DurationHistogram()
        self._greenlet: gevent.Greenlet | None = None
        self._is_on = False
        self._final: ProcessFigures | None = None

    def start(self, at: float | None = None) -> None:
        """Begin at a moment of the clock, by default now; what was before does not count."""
        self._greenlet = gevent.spawn(self._run, at)

    def begin(self) -> None:
        """Count from now on."""
        self._loop = LoopWatch(self._clock)
        self._is_on = True

    def stop(self) -> None:
        """Count no more; the figures stay what they are."""
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
        """A request to the Kiosk has ended."""
        if not self._is_on or sample.name not in JOBS_CALLS:
            return
        self._sockets.add(sample.socket_wait_s)
        if sample.socket_wait_s >= LEAST_WAIT_S:
            self._waited += 1
            self._held_s += sample.response_time_s
        self._outage.on_request(sample)
        answered = sample.error is None or isinstance(sample.error, Answered)
        ended_at = sample.started_at + sample.response_time_s
        if sample.name != UPLOAD:
            self._silence.ended(sample.started_at, ended_at, answered=answered)
        elif answered:  # most of its time is ours: the file is being sent
            self._silence.answered(ended_at)

    def on_reply(self, after_s: float, beat_s: float) -> None:
        """The master has answered a report, of which there is one each ``beat_s`` at least."""
        if self._is_on:
            self._replies.add(after_s, beat_s)

    def figures(self) -> ProcessFigures:
        """What there is by now, or was when it was stopped."""
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
