"""Renewed check of a ledger's planned files before a resumed run uploads them.

A ledger, and a checkpoint in particular, may have another author: it names the files to upload and
their kinds. Their location is what the user who resumes the run sets, and their kinds are checked
by their present content.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from kiosk_locust.model.file_remarks import Skipped
from kiosk_locust.model.input_file import Checks, InputFile
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs.finding import FileInspector, InputFiles, Rules
from kiosk_locust.storage.inputs.look_cache import InspectionCache


class PlannedFiles:
    """Files of a ledger's plan, in the order of its tickets.

    ``place`` is the ledger's name in messages; ``left`` are the numbers of files with remaining
    tickets: only these are checked, since the others are not uploaded any more.
    """

    def __init__(self, place: str, files: tuple[InputFile, ...], left: Iterable[int]) -> None:
        self.place = place
        self.files = files
        self.left = tuple(number for number in sorted(set(left)) if number < len(files))
        self._cached: tuple[tuple[Path, Rules], tuple[Skipped, ...]] | None = None

    def found(self, path: Path) -> InputFiles:
        """The plan's files in the folder ``path``, or the file ``path`` itself."""
        return InputFiles(str(path if path.is_dir() else path.parent), self.files)

    def unfit(self, path: Path, rules: Rules) -> tuple[Skipped, ...]:
        """Files that must not be uploaded from ``path`` (FILE), each with the reason.

        Missing files and files of another size are not included: jobs on them end with an error of
        their own. The files are opened in a real thread, and only once.
        """
        if self._cached is None or self._cached[0] != (path, rules):
            unfit = in_thread(lambda: tuple(self._unfit(path, rules)))
            self._cached = ((path, rules), unfit)
        return self._cached[1]

    def _unfit(self, path: Path, rules: Rules) -> Iterator[Skipped]:
        is_named = not path.is_dir()
        root = path.parent if is_named else path
        inspector = FileInspector(root, rules, InspectionCache().begin(), is_named=is_named)
        for number in self.left:
            file = self.files[number]
            reason_text = strange_path(file.path, path.name if is_named else "")
            if not reason_text and os.path.lexists(root / file.path):
                reason_text = reason(inspector, root, file, rules)
            if reason_text:
                yield Skipped(file.path, reason_text)


def strange_path(path: str, only: str) -> str:
    """Reason why a path is no file in FILE; ``only`` is FILE's name if it is one file."""
    parts = PurePosixPath(path).parts  # "a//b" and "./a/b" are other names of "a/b"
    if (
        not parts
        or "\0" in path
        or ".." in parts
        or path.startswith("/")
        or path != "/".join(parts)
    ):
        return "is no path below FILE"
    if only:
        return "" if path == only else f"is not FILE, {only}"
    return "is hidden" if any(part.startswith(".") for part in parts) else ""


def reason(inspector: FileInspector, root: Path, planned: InputFile, rules: Rules) -> str:
    """Reason why an existing file must not be uploaded; empty if it may be."""
    if not rules.follow_symlinks and _leads_out(root, planned.path):
        return "is reached by a link that leads out of the folder (FOLLOW_SYMLINKS=true takes it)"
    result = inspector.at(planned.path)
    if isinstance(result, Skipped):
        return result.reason
    file, _ = result
    if rules.checks is not Checks.NONE and file.size == planned.size and file.kind != planned.kind:
        return f"is {file.kind.value}, and was {planned.kind.value} when the run was planned"
    return ""


def _leads_out(root: Path, path: str) -> bool:
    """Tell if a folder on the way to a file is a link out of ``root``."""
    folder = (root / path).parent
    return not folder.resolve().is_relative_to(root.resolve())
