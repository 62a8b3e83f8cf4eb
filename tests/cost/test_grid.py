from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.cost.grid import FINEST_STEP_S, MOST_POINTS, MOST_STEPS, covering

MOMENTS = st.floats(1.5e9, 2e9)
SPANS = st.floats(0, 60 * 24 * 3600)


@given(MOMENTS, SPANS)
def test_a_grid_covers_its_window_and_hardly_more(start_at: float, span_s: float) -> None:
    grid = covering(start_at, start_at + span_s)
    assert start_at - 1 < grid.start_at <= start_at
    assert start_at + span_s <= grid.end_at < start_at + span_s + grid.step_s
    assert grid.step_s >= FINEST_STEP_S
    assert grid.points <= MOST_STEPS


@given(MOMENTS, SPANS, st.integers(1, 50_000))
def test_pieces_are_the_same_moments_once_and_none_is_too_long(
    start_at: float, span_s: float, points: int
) -> None:
    grid = covering(start_at, start_at + span_s)
    pieces = list(grid.pieces(max(points, grid.points // 50)))
    moments = [at for p in pieces for at in range(p.start_at, p.end_at + 1, p.step_s)]
    assert moments == list(range(grid.start_at, grid.end_at + 1, grid.step_s))
    assert all((p.end_at - p.start_at) / p.step_s < MOST_POINTS for p in pieces)
