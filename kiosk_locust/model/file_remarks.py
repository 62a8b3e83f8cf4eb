"""Remarks on files: those that make no job, and those that are taken in doubt."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kiosk_locust.formatting import units
from kiosk_locust.formatting.excerpt import escaped

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


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files a run was made of and what was said of the others, by reason."""

    files: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    in_doubt: dict[str, int] = field(default_factory=dict)  # they are among ``files``

    @property
    def line(self) -> str:
        """The number of files that made no job, and why; empty where all made one."""
        number = sum(self.skipped.values())
        if not number:
            return ""
        return f"skipped: {units.count(number, 'file')} made no job ({in_words(self.skipped)})"

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)

    def as_text(self) -> str:
        """The same for a ledger; empty where nothing was said of any file."""
        return json.dumps(self.as_json()) if self.skipped or self.in_doubt else ""

    @classmethod
    def from_text(cls, text: str) -> Tally | None:
        """What ``as_text`` made; None where it is empty. Raises ValueError for what is none."""
        if not text:
            return None
        values = json.loads(text)
        is_one = isinstance(values, dict) and set(values) == {"files", "skipped", "in_doubt"}
        if not is_one or not all(map(_is_counted, (values["skipped"], values["in_doubt"]))):
            raise ValueError("no tally of files")
        return cls(int(values["files"]), values["skipped"], values["in_doubt"])


def _is_counted(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(n, int) for n in values.values())


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
