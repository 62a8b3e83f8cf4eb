"""Work on a job that was lost because its consumer died, as far as polls saw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kiosk_locust.model.job_hash import FINAL_STATUSES
from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.time_bounds import Moment, between, stamped

#: Statuses of a job that nobody works on.
IDLE = frozenset({"", "new", "waiting"})
#: The order in which a consumer writes an image's statuses; others may come at any time.
RANKS = {
    "started": 1,
    "pre-processing": 2,
    "predicting": 3,
    "post-processing": 4,
    "saving-results": 5,
}
#: A consumer times its work by a clock of its own, which may run fast or slow by so much (s/s).
_DRIFT = 2e-4
_SLACK_S = 1e-3


def is_work(status: str) -> bool:
    """Whether a consumer works on a job of this status."""
    return status not in IDLE and status not in FINAL_STATUSES


def rank(status: str) -> int | None:
    """The place of a status in RANKS; None of one that has none."""
    if status.startswith("retry-predicting"):  # older consumers
        return RANKS["predicting"]
    return RANKS.get(status)


def takeovers(changes: Iterable[StatusChange], finisher: str) -> int:
    """How often an image's consumer gave way to another, by what polls saw, in order.

    ``finisher`` is the consumer that the final reading names (``identity_started``); empty: none.
    A consumer has died where another one writes, where the status goes back, and where the job
    is new again.
    """
    count, by, place, requeued = 0, "", 0, False
    for change in changes:
        if not is_work(change.status):
            requeued |= change.status == "new" and place > 0
            continue
        here = rank(change.status) or max(place, 1)
        is_other = bool(by and change.updated_by and change.updated_by != by)
        count += is_other or here < place or requeued
        by, place, requeued = change.updated_by or by, here, False
    is_other = bool(by and finisher and finisher != by)
    return count + (is_other or requeued)


def finisher_of(fields: Mapping[str, str]) -> str:
    """The consumer that a final reading names.

    ``updated_by`` alone may be that of one which found the job ended when it took it.
    """
    return fields.get("identity_started") or fields.get("updated_by", "")


def first_work(changes: Sequence[StatusChange]) -> StatusChange | None:
    """The first change that a poll saw a consumer at work by."""
    return next((change for change in changes if is_work(change.status)), None)


def began(first: StatusChange, offset: Sequence[float] | None) -> Moment:
    """When the consumer that a poll saw first began.

    It lies between the last poll that did not see it and ``updated_at`` of the status seen,
    which is the moment itself where that status is `started`. ``offset`` is that of its clock.
    """
    written = stamped(first.updated_at, offset, first.after, first.observed_at)
    if not written.is_stamped:
        return written
    if first.status == "started":
        return written
    return between(first.after, written.high)


def was_at_work_before(ended: Moment | None, total_s: float | None, seen_at: float | None) -> bool:
    """Whether a job was seen in work (``seen_at``) before the work that ended it began.

    ``total_s`` is what the last consumer worked. True only where that is certain: within the
    error of the end, and of the consumer's clock.
    """
    if ended is None or total_s is None or seen_at is None:
        return False
    return ended.low - total_s > seen_at + _SLACK_S + _DRIFT * total_s
