from __future__ import annotations

import time
from pathlib import Path

import gevent
import pytest

from kiosk_locust.clock import SystemClock
from kiosk_locust.monitoring.event_loop import LoopFigures, LoopWatch, resident_bytes
from tests.helpers.clocks import ManualClock


class LateClock(ManualClock):
    """Sleeps longer than it was asked to, by what stands in ``late``."""

    def __init__(self, late: list[float]) -> None:
        super().__init__()
        self.late = late

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + (self.late.pop(0) if self.late else 0.0))


def watched(late: list[float], ticks: int) -> LoopFigures:
    watch = LoopWatch(LateClock(late), 0.02, cpu_s=lambda: 0.0, memory=lambda: 7)
    for _ in range(ticks):
        watch.tick()
    return watch.figures()


def test_a_loop_that_is_in_time_has_no_delay() -> None:
    found = watched([], 100)
    assert found.delay_p99_s == pytest.approx(0, abs=2e-6)
    assert found.delay_max_s == pytest.approx(0, abs=2e-6)
    assert found.watched_s == pytest.approx(2.0)


def test_a_stall_counts_by_its_length_not_as_one_tick() -> None:
    found = watched([2.0], 100)  # 2 s in time and 2 s of a stall
    assert found.delay_max_s == pytest.approx(2.0, rel=0.002)
    assert found.delay_p99_s == pytest.approx(1.96, rel=0.02)  # 99 % of 4 s: 2 - 0.04
    assert found.delay_p50_s is not None
    assert found.delay_p50_s < 0.05


def test_before_the_first_tick_nothing_is_known() -> None:
    assert watched([], 0).delay_p99_s is None


def test_cpu_is_the_share_of_one_processor() -> None:
    used = iter([10.0, 11.5])
    clock = ManualClock()
    watch = LoopWatch(clock, cpu_s=lambda: next(used), memory=lambda: None)
    clock.sleep(3.0)
    found = watch.figures()
    assert (found.cpu_share, found.memory_bytes) == (0.5, None)


def test_a_greenlet_that_blocks_the_loop_is_seen_by_a_real_watch() -> None:
    clock = SystemClock()
    watch = LoopWatch(clock, 0.005)
    greenlet = gevent.spawn(watch.run)
    gevent.sleep(0.03)
    end_s = time.process_time() + 0.3  # of work, however many share the machine
    while time.process_time() < end_s:
        pass
    gevent.sleep(0.03)
    greenlet.kill()
    found = watch.figures()
    assert found.delay_max_s is not None
    assert found.delay_max_s >= 0.28
    assert found.cpu_share is not None
    assert found.cpu_share > 0.03


def test_memory_is_read_from_proc_and_unknown_elsewhere(tmp_path: Path) -> None:
    statm = tmp_path / "statm"
    statm.write_text("100 25 5 1 0 1 0\n")
    assert resident_bytes(statm) in (25 * 4096, 25 * 16384, 25 * 65536)
    assert resident_bytes(tmp_path / "none") is None
