"""Why a run ends, and how long jobs in flight may then take."""

from __future__ import annotations

import signal

from kiosk_locust.assembly.signals import Signals
from kiosk_locust.model.options import Options
from kiosk_locust.verdict.exit_code import ABORTED

#: A cluster that sends SIGTERM kills soon after; by then everything is to be written.
SIGTERM_GRACE_S = 10.0
#: Locust's timer for -t and our clock may differ by so much.
RUN_TIME_SLACK_S = 0.5


def ending(
    options: Options,
    signals: Signals,
    *,
    trouble: str,
    elapsed_s: float,
    aborted: bool = False,
    called: str = "",
) -> tuple[str, float]:
    """What ends a run that began ``elapsed_s`` ago, and the grace in seconds; see ``drain``.

    ``aborted``: by a threshold that was missed. ``trouble`` says why it can go on no longer, if
    that is so; ``called`` what in users' code ended it (``runner.quit()``).
    """
    if trouble:
        return "a fault", 0.0
    if signals.first == signal.SIGTERM:
        return signals.name, min(options.stop_timeout_s, SIGTERM_GRACE_S)
    if signals.first is not None:
        return signals.name, options.stop_timeout_s
    if aborted:
        return ABORTED, options.stop_timeout_s
    if called:
        return called, options.stop_timeout_s
    limit_s = options.run_time_s
    if limit_s and elapsed_s >= limit_s - RUN_TIME_SLACK_S:
        return "-t", options.stop_timeout_s if options.count else options.drain_timeout_s
    return "Stop", options.stop_timeout_s
