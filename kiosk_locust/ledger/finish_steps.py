"""The complete steps of a run's finish, as the run's ledger keeps them.

The ledger has two facts. ``finish`` grows until the files of the run are uploaded; the uploaded
copy of the ledger has it as it then is. ``finish_after`` has what comes later, and stands in no
uploaded copy, so that a copy that is made again is the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

#: Facts of a ledger.
KEY, AFTER_KEY = "finish", "finish_after"
#: The steps in their order; `kiosk_locust.assembly.finalize` has a function of each name.
STEPS_WITH_LEDGER = (
    *("record_end", "keep_checkpoint", "look_at_queues", "ask_cost", "judge", "tell"),
    "close_ledger",
)
STEPS_OF_FILES = (
    *("keep_last_checkpoint", "remove_parts", "write_results", "write_report", "write_junit"),
    "decide",
)
STEPS_AFTER = ("upload", "tell_listeners")
STEPS = (*STEPS_WITH_LEDGER, *STEPS_OF_FILES, *STEPS_AFTER)


@dataclass(frozen=True, slots=True)
class FinishRecord:
    """State of a run's finish; of the session with the number ``session``."""

    session: int
    is_over: bool = False  # every ticket was closed by what the Kiosk did
    aborted: str = ""  # the threshold whose miss ended the run
    trouble: str = ""  # why the run could not go on
    steps: frozenset[str] = frozenset()  # the complete ones
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # names, by step
    exit_code: int | None = None  # once it is decided,
    why: str = ""  # and why it is so
    urls: tuple[str, ...] = ()  # of what was uploaded

    @property
    def missing(self) -> tuple[str, ...]:
        """The steps that are not complete, in their order."""
        return tuple(name for name in STEPS if name not in self.steps)

    def with_step(self, name: str) -> FinishRecord:
        """The same, with one more complete step."""
        return replace(self, steps=self.steps | {name})

    def without_lost(self, folder: Path) -> FinishRecord:
        """The same, without the steps whose files are not in ``folder``."""
        lost = {
            step
            for step, names in self.files.items()
            if not all((folder / name).is_file() for name in names)
        }
        return replace(self, steps=self.steps - lost) if lost else self

    def as_meta(self, names: Iterable[str] = STEPS) -> dict[str, str]:
        """As a ledger keeps it: only the facts that have to do with the steps of ``names``."""
        wanted = frozenset(names)
        facts = {}
        if not wanted <= set(STEPS_AFTER):
            facts[KEY] = json.dumps(
                {
                    "session": self.session,
                    "is_over": self.is_over,
                    "aborted": self.aborted,
                    "trouble": self.trouble,
                    "steps": self._ordered(*STEPS_WITH_LEDGER, *STEPS_OF_FILES),
                    "files": {step: list(self.files[step]) for step in sorted(self.files)},
                    "exit_code": self.exit_code,
                    "why": self.why,
                }
            )
        if wanted & set(STEPS_AFTER):
            steps = self._ordered(*STEPS_AFTER)
            after = {"session": self.session, "steps": steps, "urls": list(self.urls)}
            facts[AFTER_KEY] = json.dumps(after)
        return facts

    @classmethod
    def from_meta(cls, meta: Mapping[str, str], session: int) -> FinishRecord | None:
        """Read the record of the last session's finish from a ledger's facts, or None.

        Raises ValueError, TypeError and KeyError for what this class did not write.
        """
        record = json.loads(meta.get(KEY) or "null")
        if record is None or record["session"] != session:
            return None  # an older version, which does not know this fact, went on with the run
        after = json.loads(meta.get(AFTER_KEY) or "null")
        if after is None or after["session"] != session:
            after = {"steps": [], "urls": []}
        code = record["exit_code"]
        if code not in (None, 0, 1, 2) or isinstance(code, bool):
            raise ValueError("an exit code is none of 0, 1 and 2")
        return cls(
            session,
            is_over=record["is_over"] is True,
            aborted=str(record["aborted"]),
            trouble=str(record["trouble"]),
            steps=frozenset([*record["steps"], *after["steps"]]) & frozenset(STEPS),
            files={step: tuple(map(_name, names)) for step, names in record["files"].items()},
            exit_code=code,
            why=str(record["why"]),
            urls=tuple(map(str, after["urls"])),
        )

    def _ordered(self, *names: str) -> list[str]:
        return [name for name in names if name in self.steps]


def _name(text: str) -> str:
    """The name of a file: what somebody else wrote there must not lead to another folder."""
    if "\0" in text or Path(text).name != text or text in ("", ".."):
        raise ValueError("a name leads to another folder")
    return text
