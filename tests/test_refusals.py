from __future__ import annotations

import pytest

from kiosk_locust.errors import Answered, NoAnswer
from kiosk_locust.http.exchange import RequestSample
from kiosk_locust.refusals import AGAIN_S, PATIENCE_S, POLL, Refusals


def sample(at: float, status: int = 200, name: str = POLL) -> RequestSample:
    error = Answered(f"HTTP {status}", status=status) if status >= 300 else None
    return RequestSample("POST", name, 0.0, 0, error, at)


def warned(caplog: pytest.LogCaptureFixture, *samples: RequestSample) -> list[str]:
    refusals = Refusals()
    for each in samples:
        refusals.on_request(each)
    return caplog.messages


@pytest.mark.parametrize(
    ("status", "cure"), [(403, "access rules"), (404, "API_HOST"), (302, "redirects")]
)
def test_polls_that_are_refused_for_a_while_are_warned_of_once_with_the_cure(
    caplog: pytest.LogCaptureFixture, status: int, cure: str
) -> None:
    polls = [sample(float(at), status) for at in range(60)]
    (told,) = warned(caplog, *polls)
    assert f"for {PATIENCE_S:.0f} s" in told
    assert cure in told
    assert str(status) in told
    assert "--resume" in told


def test_they_are_warned_of_again_later(caplog: pytest.LogCaptureFixture) -> None:
    moments = (0.0, PATIENCE_S, PATIENCE_S + AGAIN_S - 1, PATIENCE_S + AGAIN_S)
    assert len(warned(caplog, *(sample(at, 401) for at in moments))) == 2


@pytest.mark.parametrize(
    "between",
    [
        (sample(5.0),),
        (sample(5.0, name="/api/predict"), sample(5.0)),
    ],
)
def test_a_poll_that_succeeds_begins_anew(
    caplog: pytest.LogCaptureFixture, between: tuple[RequestSample, ...]
) -> None:
    assert not warned(caplog, sample(0.0, 403), *between, sample(PATIENCE_S, 403))


def test_other_requests_that_succeed_are_no_cure(caplog: pytest.LogCaptureFixture) -> None:
    others = sample(5.0, name="/api/predict")
    assert len(warned(caplog, sample(0.0, 403), others, sample(PATIENCE_S, 403))) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_passes_by_itself_is_not_warned_of(
    caplog: pytest.LogCaptureFixture, status: int
) -> None:
    silent = RequestSample("POST", POLL, 0.0, 0, NoAnswer("none"), 30.0)
    assert not warned(caplog, sample(0.0, status), sample(60.0, status), silent)
