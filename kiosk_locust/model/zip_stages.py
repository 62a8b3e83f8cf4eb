"""The stages of a ZIP's job: queue wait, unpacking, children at work, packing; pure.

They follow from the hash of the ZIP alone. ``children_upload_time`` is what a consumer took to
unpack it, until it wrote `waiting`; ``cleanup_time`` is what it took to pack the results, until it
wrote ``finished_at`` (kiosk-redis-consumer 0.17.2, ZipFileConsumer). When it was taken from the
queue is bounded by polls, and by ``updated_at`` of what they saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kiosk_locust.model.record import StatusChange
from kiosk_locust.model.time_bounds import Moment, OffsetOf, between, stamped
from kiosk_locust.model.zip_children import CHILDREN, PACKING, PHASES, QUEUE, UNPACKING

#: A stage is told where its error is at most so much of the duration, or of the stage itself.
ERROR_OF_DURATION = 0.05
ERROR_OF_STAGE = 0.25
#: A consumer writes that it took a ZIP, and begins to measure a moment later.
_SLACK_S = 0.05


class Stage(NamedTuple):
    """Seconds, and what they are at least and at most.

    ``value`` is None where they are too far apart for one value to say much.
    """

    value: float | None
    low: float
    high: float


class ZipStages(NamedTuple):
    """One after the other, from the creation to the end; None of one that did not begin.

    ``interrupted`` is the time that was lost because a consumer died while it unpacked the ZIP;
    it is there only where that is certain.
    """

    queue_wait: Stage | None = None
    interrupted: Stage | None = None
    unpacking: Stage | None = None
    children: Stage | None = None
    packing: Stage | None = None

    @property
    def error_s(self) -> float | None:
        """How far the worst known of the stages that have a value may be off, in seconds."""
        errors = [
            max(stage.high - stage.value, stage.value - stage.low)
            for stage in self
            if stage is not None and stage.value is not None
        ]
        return max(errors, default=None)


class _Begun(NamedTuple):
    """When each phase began by our clock; None of one that did not."""

    unpacking: Moment | None
    children: Moment | None
    packing: Moment | None


def zip_stages(
    created: Moment,
    ended: Moment,
    changes: Sequence[StatusChange],
    offset_of: OffsetOf,
    *,
    unpacking_s: float | None,
    packing_s: float | None,
) -> ZipStages:
    """The stages of a ZIP that a poll saw ended, between two moments by our clock.

    ``changes`` are what polls saw of it, in order; ``unpacking_s`` and ``packing_s`` are what the
    Kiosk measured, None where it did not say.
    """
    first, children, packing = _begun(created, ended, changes, offset_of)
    if first is None:  # no poll is known of
        return ZipStages(unpacking=_exactly(unpacking_s), packing=_exactly(packing_s))
    children = children and _after(children, first)
    packing = packing and _after(packing, children)
    if packing is not None and packing_s is not None:
        packing = _narrowed(_later(ended, -packing_s), packing)
    children = children and _before(children, packing)
    first = _before(first, children)
    begun, is_measured = first, False
    if children is not None and unpacking_s is not None:
        measured = _later(children, -unpacking_s)
        is_measured = measured.high > first.low - _SLACK_S
        if is_measured and measured.low > first.high + _SLACK_S:
            begun = measured  # by another consumer than the first
        elif is_measured:
            first = begun = _middle(_narrowed(first, measured))
            children = _later(begun, unpacking_s)
    stages = ZipStages(
        _from_to(created, first),
        None if first is begun else _from_to(first, begun),
        _exactly(unpacking_s) if is_measured else _from_to(begun, children or ended),
        _from_to(children, packing or ended),
        _from_to(packing, ended) if packing_s is None else packing and _exactly(packing_s),
    )
    duration_s = max(0.0, ended.at - created.at)
    return ZipStages(*(stage and _judged(stage, duration_s) for stage in stages))


def _begun(
    created: Moment, ended: Moment, changes: Sequence[StatusChange], offset_of: OffsetOf
) -> _Begun:
    """When the phases began, as far as polls tell; a ZIP that went back to the queue began anew."""
    ranks, rank, anew = [], 0, 0
    for number, change in enumerate(changes):
        now = _rank(change, rank)
        anew = number if now < rank else anew
        ranks.append(now)
        rank = now
    moments: list[Moment | None] = []
    for phase in (UNPACKING, CHILDREN, PACKING):
        wanted, start = PHASES.index(phase), 0 if phase == UNPACKING else anew
        seen = next((at for at in range(start, len(ranks)) if ranks[at] >= wanted), None)
        if seen is None:
            moments.append(None)
            continue
        high = min(ended.high, _latest(changes[seen], offset_of))
        low = max(created.low, changes[seen].after) if _shows(changes[seen], phase) else created.low
        moments.append(between(low, max(low, high)))
    return _Begun(*moments)


def _shows(change: StatusChange, phase: str) -> bool:
    """Whether the poll before it would have shown that phase, had it begun by then.

    Without a phase, polls showed `waiting` and those that ended; and of a list without children
    nobody can tell whether each has ended.
    """
    if change.phase:
        return PHASES.index(change.phase) >= PHASES.index(phase)
    return phase == CHILDREN or (phase == UNPACKING and change.status == "new")


def _rank(change: StatusChange, before: int) -> int:
    """The place in PHASES of what a poll saw; ledgers of before version 3 have no phases."""
    if change.status == "done":
        return PHASES.index(PACKING)
    if change.phase:
        phase = change.phase
    elif change.status == "waiting":
        phase = CHILDREN
    else:
        phase = UNPACKING if change.updated_by else QUEUE
    if change.status == "failed":  # somebody must have taken it
        return max(before, PHASES.index(UNPACKING), PHASES.index(phase))
    return PHASES.index(phase)


def _latest(change: StatusChange, offset_of: OffsetOf) -> float:
    """When what a poll saw had begun at the latest: at ``updated_at``, where that can be used."""
    offset = offset_of(change.updated_by, change.observed_at)
    written = stamped(change.updated_at, offset, change.after, change.observed_at)
    return written.high if written.is_stamped else change.observed_at


def _later(moment: Moment, span_s: float) -> Moment:
    return Moment(moment.at + span_s, moment.low + span_s, moment.high + span_s)


def _middle(moment: Moment) -> Moment:
    return between(moment.low, moment.high)


def _narrowed(moment: Moment, other: Moment) -> Moment:
    """A moment that is known in two ways; the first one where they exclude each other."""
    low, high = max(moment.low, other.low), min(moment.high, other.high)
    return moment if low > high else Moment(min(max(moment.at, low), high), low, high)


def _before(moment: Moment, other: Moment | None) -> Moment:
    """A moment that is known to come before another one."""
    if other is None or moment.high <= other.high:
        return moment
    return between(min(moment.low, other.high), other.high)


def _after(moment: Moment, other: Moment | None) -> Moment:
    """A moment that is known to come after another one."""
    if other is None or moment.low >= other.low:
        return moment
    return between(other.low, max(moment.high, other.low))


def _exactly(span_s: float | None) -> Stage | None:
    return None if span_s is None else Stage(span_s, span_s, span_s)


def _from_to(start: Moment | None, end: Moment | None) -> Stage | None:
    if start is None or end is None:
        return None
    low = max(0.0, end.low - start.high)
    return Stage(max(0.0, end.at - start.at), low, max(low, end.high - start.low))


def _judged(stage: Stage, duration_s: float) -> Stage:
    """The stage, without its value where that may be too far off."""
    value = stage.value or 0.0
    error_s = max(stage.high - value, value - stage.low)
    is_told = error_s <= max(ERROR_OF_DURATION * duration_s, ERROR_OF_STAGE * value)
    return stage if is_told else stage._replace(value=None)
