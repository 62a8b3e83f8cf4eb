"""What came of a cell, and whether that is what the table says."""

from __future__ import annotations

from dataclasses import dataclass

from tests.hostile.table import NO_START, Cell


@dataclass(frozen=True)
class Came:
    """One run of one ticket as it was seen; see `table.End`."""

    outcome: str
    exit_code: int
    submissions: int
    jobs: int
    ambiguous: bool
    words: str  # all that the user was told

    def complaints(self, cell: Cell) -> list[str]:
        """In what it differs from the table, in words; none where it does not."""
        end = cell.end
        found = []
        if self.outcome != end.outcome:
            found.append(f"{self.outcome}, and not {end.outcome}")
        if self.exit_code != end.exit_code:
            found.append(f"exit code {self.exit_code}, and not {end.exit_code}")
        if not end.submissions[0] <= self.submissions <= end.submissions[1]:
            found.append(f"{self.submissions} submissions, and not {end.submissions}")
        if not end.jobs[0] <= self.jobs <= end.jobs[1]:
            found.append(f"{self.jobs} jobs made, and not {end.jobs}")
        if end.ambiguous is not None and self.ambiguous != end.ambiguous:
            found.append(f"ambiguous is {self.ambiguous}")
        if end.words not in self.words:
            found.append(f"no word of “{end.words}”")
        if not end.words and self.words and end.outcome in ("done", NO_START):
            found.append("words where there should be none")
        return [f"{each}: {self.words!r}" for each in found]
