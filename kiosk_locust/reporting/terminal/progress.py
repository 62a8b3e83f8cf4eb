"""Progress of a run: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import gevent
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from kiosk_locust.clock import Clock
from kiosk_locust.formatting import units
from kiosk_locust.formatting.console import plain_grid
from kiosk_locust.formatting.excerpt import printable
from kiosk_locust.measurement.live_metrics import View
from kiosk_locust.model.ports import JobPublisher, RunObserver
from kiosk_locust.model.record import Outcome
from kiosk_locust.reporting.terminal.stderr_redirect import Redirection

logger = logging.getLogger(__name__)

#: Seconds between two frames of the bar.
FRAME_S = 0.5


class Progress(RunObserver):
    """Display of ``view()`` until it is stopped.

    On a terminal it is a bar, redrawn each `FRAME_S` seconds; elsewhere, and on a dumb terminal, a
    log line each ``refresh_s`` seconds. A failure of the display never affects the run.
    """

    def __init__(
        self,
        view: Callable[[], View],
        refresh_s: float,
        clock: Clock,
        console: Console,
        *,
        note: Callable[[], str] = lambda: "",
        alerts: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._view = view
        self._note = note
        self._alerts = alerts
        self._refresh_s = refresh_s
        self._clock = clock
        self._console = console
        self._live: Live | None = None
        self._redirection = Redirection(console)
        self._greenlet: gevent.Greenlet | None = None

    def attach(self, bus: JobPublisher) -> None:
        """Subscribe to no job events: ``view`` has the counts."""

    def start(self, zero_at: float) -> None:  # noqa: ARG002  a bar may be seen before the first job
        """Start the display in its own greenlet."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                redirect_stdout=False,  # rich's redirection misses handlers of logging
                redirect_stderr=False,
                get_renderable=self._picture,
            )
            self._redirection.start()
            self._live.start(refresh=True)
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Show the final state and release the terminal; idempotent."""
        if self._greenlet is None:
            return
        self._greenlet.kill()
        self._greenlet = None
        if self._live is None:
            logger.info(line(self._view(), self._note(), self._alerts()))
            return
        try:
            self._live.stop()
        finally:
            self._live = None
            self._redirection.stop()

    def _run(self) -> None:
        while True:
            self._clock.sleep(self._refresh_s if self._live is None else FRAME_S)
            try:
                self._show()
            except Exception:
                logger.exception("the progress cannot be shown; the run goes on")
                return

    def _show(self) -> None:
        if self._live is None:
            logger.info(line(self._view(), self._note(), self._alerts()))
        else:
            self._live.refresh()

    def _picture(self) -> RenderableType:
        return picture(self._view(), self._console.encoding, self._note(), self._alerts())


def line(view: View, note: str = "", alerts: Sequence[str] = ()) -> str:
    """Progress in one line; alerts and awaited jobs are at its end."""
    facts = [
        _closed_text(view),
        *_counts(view),
        units.rate(view.rate_per_s, "jobs"),
        *_remaining_text(view),
    ]
    text = ", ".join([*facts, printable(note)] if note else facts)
    for alert in alerts:
        text += f"; {printable(alert)}"
    if view.waited_for:
        text += "; waiting for " + " ".join(printable(job_id) for job_id in view.waited_for)
    return text


def picture(
    view: View, encoding: str = "utf-8", note: str = "", alerts: Sequence[str] = ()
) -> RenderableType:
    """Progress as a bar with counts, alerts and awaited jobs below it."""
    top = plain_grid(encoding, padding=(0, 1), expand=True)
    top.add_column(no_wrap=True)
    top.add_column(ratio=1)
    top.add_column(no_wrap=True, justify="right")
    pace = ", ".join([units.rate(view.rate_per_s, "jobs"), *_remaining_text(view)])
    # A run without a planned end has no bar to fill; it shows the time instead.
    bar = "" if view.total is None else ProgressBar(total=max(1, view.total), completed=view.closed)
    top.add_row(_closed_text(view), bar, pace)
    parts: list[RenderableType] = [top, Text("  " + (", ".join(_counts(view)) or "no job yet"))]
    parts += [Text("  " + printable(alert, encoding), style="bold red") for alert in alerts]
    if note:
        parts.append(Text("  " + printable(note, encoding)))
    if view.waited_for:
        parts.append(Text("  waiting for:"))
        parts += [
            Text("    " + printable(job_id, encoding), no_wrap=True, overflow="ellipsis")
            for job_id in view.waited_for
        ]
    return Group(*parts)


def _closed_text(view: View) -> str:
    if view.total is None:
        return f"{units.count(view.closed, 'job')} closed in {units.seconds(view.elapsed_s)}"
    not_started = f", {view.never_begun:,} never begun" if view.never_begun else ""
    return f"{view.closed:,} of {units.count(view.total, 'job')} closed{not_started}"


def _counts(view: View) -> list[str]:
    """Jobs in flight by status, most frequent first, then closed jobs by outcome."""
    statuses = sorted(view.statuses.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{number:,} {printable(status, 'ascii')}" for status, number in statuses]
    closed = ((view.outcomes.get(outcome, 0), outcome.value) for outcome in Outcome)
    parts += [f"{number:,} {name}" for number, name in closed if number]
    if view.images_done + view.images_failed != view.closed:
        parts.append(f"{units.count(view.images_done, 'image')} done")
        if view.images_failed:
            parts.append(f"{units.count(view.images_failed, 'image')} failed")
    return parts


def _remaining_text(view: View) -> list[str]:
    if view.is_over:
        return [f"took {units.seconds(view.elapsed_s)}"]
    if view.left_s is None:
        return []
    return [f"{units.about(view.left_s)} left"]
