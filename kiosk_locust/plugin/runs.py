"""The runs of one Locust environment, from their start to their end."""

from __future__ import annotations

from typing import Any

import gevent
from locust.env import Environment

from kiosk_locust.assembly import stop_reason
from kiosk_locust.assembly.controller import RunController
from kiosk_locust.assembly.signals import Signals
from kiosk_locust.plugin import locust_patches
from kiosk_locust.plugin.exit_status import ExitStatus
from kiosk_locust.plugin.last_words import LastWords
from kiosk_locust.plugin.locust_patches import SafeLocalRunner
from kiosk_locust.plugin.master_runner import PatientMaster
from kiosk_locust.plugin.page import Page
from kiosk_locust.plugin.user import OVER


class Runs:
    """The run that is on, or was last, and those before it that still end.

    Each lives in a greenlet of its own, which nothing kills that Locust kills. Whoever wants the
    run to end says so (`RunController.stop`), and waits for that greenlet.
    """

    def __init__(
        self,
        environment: Environment,
        runner: SafeLocalRunner | PatientMaster,
        page: Page | None,
        *,
        status: ExitStatus,
        words: LastWords,
        signals: Signals,
    ) -> None:
        self.current: RunController | None = None
        self._greenlet: gevent.Greenlet | None = None  # of the current run
        self._earlier: list[tuple[RunController, gevent.Greenlet]] = []  # runs that still end
        self._environment = environment
        self._runner = runner
        self._page = page
        self._status = status
        self._words = words
        self._signals = signals

    @property
    def is_over(self) -> bool:
        """True before the first run, and once the last one is finalized."""
        return self._greenlet is None or self._greenlet.dead

    def set_aside(self) -> None:
        """A run is about to be built: the one before it goes on to its end beside it."""
        if self.current is not None and self._greenlet is not None:
            self.stop()
            self._earlier.append((self.current, self._greenlet))
        self._earlier = [(run, greenlet) for run, greenlet in self._earlier if not greenlet.dead]
        self.current = self._greenlet = None

    def begin(self, run: RunController) -> None:
        """See a run to its end, which a signal or users' code may have wanted by now."""
        self.set_aside()  # of two that were built at once, neither is forgotten
        self.current = run
        self._greenlet = gevent.spawn(self._see_through, run)
        self.on_signal()
        if self._status.caller:
            self.on_called()

    def _see_through(self, run: RunController) -> None:
        """The end of a run, from the moment when it is wanted."""
        reason = run.wait()
        locust_patches.forget_dead_greenlets()  # of the run's time: logged by then
        if reason.is_the_runs and run is self.current:
            gevent.spawn(self.stop_locust)
        run.drain(reason)
        verdict = run.finalize()
        locust_patches.REPEATS.tell_rest()
        self._status.caller = ""
        if run is self.current:
            self._status.set(verdict.code)
        self._words.of_run(run, verdict)
        if over := OVER.get(self._environment):
            over.set()

    # -- who wants the end

    def stop(self) -> None:
        """Locust ends the current run, unless something else does."""
        if self.current is not None:
            run = self.current
            run.stop(stop_reason.of_locust(run.options, run.elapsed_s))

    def on_signal(self) -> None:
        """A signal, if there was one, ends the current run; the second one has it wait no more.

        So does the first one, if all tickets are closed.
        """
        run, number = self.current, self._signals.first
        if run is not None and number is not None:
            if run.is_closed or self._signals.has_second:
                run.give_up()
            run.stop(stop_reason.of_signal(number, run.options))

    def on_called(self) -> None:
        """Users' code ends the current run."""
        if self.current is not None:
            self.current.stop(stop_reason.of_caller(self._status.caller, self.current.options))

    def on_test_stopping(self) -> None:
        """Locust stops a test: its users stay until all tickets are closed."""
        self.stop()
        if self.current is not None:
            self.current.wait_closed()

    def on_test_stop(self) -> None:
        """Locust has stopped a test: perhaps one before, which it went on to stop, and not ours."""
        if self.current is not None and self.current.is_ending:
            self.join()
        if self._page is None and not self._runner.is_quitting:
            gevent.spawn(self._runner.quit)  # there is nobody who could start another test

    def on_quitting(self) -> None:
        """Locust's process ends: so does every run."""
        for run, _ in self._earlier:
            run.give_up()
        self.stop()
        gevent.joinall([greenlet for _, greenlet in self._earlier])
        self.join()

    def join(self) -> None:
        """Wait until the current run is finalized."""
        if self._greenlet is not None:
            self._greenlet.join()

    # -- Locust's own end

    def stop_locust(self) -> None:
        """End Locust's test, and the process where nobody could start another one."""
        if self._page is None:
            self._runner.quit()
            return
        self._runner.stop()
        parsed: Any = self._environment.parsed_options
        if parsed.autostart and parsed.autoquit >= 0:
            gevent.sleep(parsed.autoquit)
            self.quit()

    def quit(self) -> None:
        """End Locust's process."""
        self._runner.quit()
        if self._page is not None:
            self._page.stop()
