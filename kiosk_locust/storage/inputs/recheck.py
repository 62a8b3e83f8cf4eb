"""Files of a plan that is there already, looked at again before a run goes on with them.

A ledger, and a checkpoint above all, may be of another's making: it says which files are uploaded
and what they are. Where they are is what whoever resumes the run says, and what they are is what
their content says today.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from kiosk_locust.model.file_remarks import Skipped
from kiosk_locust.model.input_file import Checks, InputFile
from kiosk_locust.native_thread import in_thread
from kiosk_locust.storage.inputs.finding import Found, Looking, Rules
from kiosk_locust.storage.inputs.look_cache import Looks


class Planned:
    """The files that a ledger has for its plan, in the order of its tickets.

    ``place`` is what messages call the ledger, and ``left`` are the numbers of the files that a
    ticket is left for: the others are not looked at, since none of them is uploaded any more.
    """

    def __init__(self, place: str, files: tuple[InputFile, ...], left: Iterable[int]) -> None:
        self.place = place
        self.files = files
        self.left = tuple(number for number in sorted(set(left)) if number < len(files))
        self._known: tuple[tuple[Path, Rules], tuple[Skipped, ...]] | None = None

    def found(self, path: Path) -> Found:
        """The plan's files in ``path``, or those that are ``path``."""
        return Found(str(path if path.is_dir() else path.parent), self.files)

    def unfit(self, path: Path, rules: Rules) -> tuple[Skipped, ...]:
        """Those that must not be uploaded from ``path``, FILE, each with the reason.

        Those that are gone, or that have another size, are not among them: jobs on them end with
        an error of their own. The files are opened in a real thread, and once only.
        """
        if self._known is None or self._known[0] != (path, rules):
            unfit = in_thread(lambda: tuple(self._unfit(path, rules)))
            self._known = ((path, rules), unfit)
        return self._known[1]

    def _unfit(self, path: Path, rules: Rules) -> Iterator[Skipped]:
        is_named = not path.is_dir()
        root = path.parent if is_named else path
        look = Looking(root, rules, Looks().begin(), is_named=is_named)
        for number in self.left:
            file = self.files[number]
            why = strange_path(file.path, path.name if is_named else "")
            if not why and os.path.lexists(root / file.path):
                why = reason(look, root, file, rules)
            if why:
                yield Skipped(file.path, why)


def strange_path(path: str, only: str) -> str:
    """Say why a path is no file in FILE; ``only`` is FILE's name where it is one file."""
    parts = PurePosixPath(path).parts  # "a//b" and "./a/b" are second names of "a/b"
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


def reason(look: Looking, root: Path, planned: InputFile, rules: Rules) -> str:
    """Say why an existing file must not be uploaded; empty: it may be."""
    if not rules.follow_symlinks and _leads_out(root, planned.path):
        return "is reached by a link that leads out of the folder (FOLLOW_SYMLINKS=true takes it)"
    seen = look.at(planned.path)
    if isinstance(seen, Skipped):
        return seen.reason
    file, _ = seen
    if rules.checks is not Checks.NONE and file.size == planned.size and file.kind != planned.kind:
        return f"is {file.kind.value}, and was {planned.kind.value} when the run was planned"
    return ""


def _leads_out(root: Path, path: str) -> bool:
    """Tell if a folder on the way to a file is a link out of ``root``."""
    folder = (root / path).parent
    return not folder.resolve().is_relative_to(root.resolve())
