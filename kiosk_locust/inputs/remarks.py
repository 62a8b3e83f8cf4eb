"""Remarks on files: those that make no job, and those that are taken in doubt."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kiosk_locust import units
from kiosk_locust.excerpt import escaped

logger = logging.getLogger(__name__)

#: More of them would only flood the screen; the log file has them all.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Remark:
    """A file, or folder, and what is said of it; ``path`` is below the root."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{escaped(self.path)} {self.reason}"


class Skipped(Remark):
    """A file, or folder, that makes no job."""

    __slots__ = ()


class Doubt(Remark):
    """A file that makes a job, though the Kiosk may fail on it."""

    __slots__ = ()


def reasons(remarks: Iterable[Remark]) -> dict[str, int]:
    """How many there are for each reason, the commonest first; without what is in brackets."""
    counts = Counter(re.sub(r" \(.*", "", remark.reason) for remark in remarks)
    return dict(counts.most_common())


def in_words(counts: dict[str, int]) -> str:
    """The reasons with their numbers, as in “3: it is empty; 1: it is hidden”."""
    return "; ".join(f"{number:,}: it {reason}" for reason, number in counts.items())


def tell_skipped(skipped: Sequence[Skipped]) -> None:
    """Log what was skipped: how much of it and why, and each file."""
    _tell(skipped, "skipped", "skipped")


def tell_doubts(doubts: Sequence[Doubt]) -> None:
    """Log what was taken in doubt, in the same way."""
    _tell(doubts, "taken in doubt (INPUT_CHECKS=strict skips such)", "taken in doubt")


def _tell(remarks: Sequence[Remark], what: str, of_each: str) -> None:
    if not remarks:
        return
    number = units.count(len(remarks), "file")
    logger.warning("%s %s (%s)", number, what, in_words(reasons(remarks)))
    level = logging.INFO if len(remarks) <= SHOWN else logging.DEBUG
    for one in remarks:
        logger.log(level, "%s: %s", of_each, one)
