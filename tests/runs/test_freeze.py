"""A Kiosk that freezes, as a user of it feels it and as a client that waits for it sees it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.helpers.real import Locust, simulator, wait_until

FROZEN_S = 3.0


def test_a_freeze_shows_in_durations_since_due_and_not_in_those_by_the_kiosks_clock(
    tmp_path: Path,
) -> None:
    with simulator() as kiosk:
        run = Locust(tmp_path, "-u", "100", "-r", "40", host=kiosk.url)
        wait_until(lambda: len(kiosk.submissions) > 20, what="jobs")
        os.kill(kiosk.pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)  # the freeze itself
        os.kill(kiosk.pid, signal.SIGCONT)
        finished = run.finish()
    assert finished.outcomes == {"done": 100}, finished.output
    found = finished.results[0]["summary"]["percentiles_s"]
    assert found["duration"]["p90"] < FROZEN_S / 3  # the frontend stamps late, so this hides it
    assert found["since_due"]["p90"] > FROZEN_S * 0.6
