"""What a run is doing, while it does it: a bar on a terminal, lines of the log elsewhere."""

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

#: Seconds between two pictures of the bar.
FRAME_S = 0.5


class Progress(RunObserver):
    """Shows ``view()`` until it is stopped.

    On a terminal that is a bar, drawn anew each FRAME_S seconds; elsewhere, and on a dumb
    terminal, a line of the log each ``refresh_s`` seconds. Nothing that goes wrong in here
    touches the run.
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
        """Hear of no job: ``view`` has counted them."""

    def start(self, zero_at: float) -> None:  # noqa: ARG002  a bar may be seen before the first job
        """Begin to show it, in a greenlet of its own."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                redirect_stdout=False,  # rich's own way misses logging's handlers
                redirect_stderr=False,
                get_renderable=self._picture,
            )
            self._redirection.start()
            self._live.start(refresh=True)
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Show it a last time, and give the terminal back; may be called twice."""
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
    """The progress in one line; what fails and jobs waited for are named at its end."""
    facts = [_closed(view), *_counts(view), units.rate(view.rate_per_s, "jobs"), *_left(view)]
    text = ", ".join([*facts, printable(note)] if note else facts)
    for alert in alerts:
        text += f"; {printable(alert)}"
    if view.waited_for:
        text += "; waiting for " + " ".join(printable(job_id) for job_id in view.waited_for)
    return text


def picture(
    view: View, encoding: str = "utf-8", note: str = "", alerts: Sequence[str] = ()
) -> RenderableType:
    """The progress as a bar, the counts below it, what fails, and the jobs waited for."""
    top = plain_grid(encoding, padding=(0, 1), expand=True)
    top.add_column(no_wrap=True)
    top.add_column(ratio=1)
    top.add_column(no_wrap=True, justify="right")
    pace = ", ".join([units.rate(view.rate_per_s, "jobs"), *_left(view)])
    # A run without an end in sight has no bar to fill: its time passes instead.
    bar = "" if view.total is None else ProgressBar(total=max(1, view.total), completed=view.closed)
    top.add_row(_closed(view), bar, pace)
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


def _closed(view: View) -> str:
    if view.total is None:
        return f"{units.count(view.closed, 'job')} closed in {units.seconds(view.elapsed_s)}"
    never = f", {view.never_begun:,} never begun" if view.never_begun else ""
    return f"{view.closed:,} of {units.count(view.total, 'job')} closed{never}"


def _counts(view: View) -> list[str]:
    """Jobs in flight by status, most first, then closed ones by outcome."""
    statuses = sorted(view.statuses.items(), key=lambda item: (-item[1], item[0]))
    counted = [f"{number:,} {printable(status, 'ascii')}" for status, number in statuses]
    closed = ((view.outcomes.get(outcome, 0), outcome.value) for outcome in Outcome)
    counted += [f"{number:,} {said}" for number, said in closed if number]
    if view.images_done + view.images_failed != view.closed:
        counted.append(f"{units.count(view.images_done, 'image')} done")
        if view.images_failed:
            counted.append(f"{units.count(view.images_failed, 'image')} failed")
    return counted


def _left(view: View) -> list[str]:
    if view.is_over:
        return [f"took {units.seconds(view.elapsed_s)}"]
    if view.left_s is None:
        return []
    return [f"{units.about(view.left_s)} left"]
