"""Discovery of files that jobs can work on, with reasons for skipped ones."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.consumer.forms import unusable
from kiosk_locust.model.file_remarks import Doubt, Skipped
from kiosk_locust.model.input_file import Checks, InputFile, Kind
from kiosk_locust.storage.inputs.kinds import Inspection, NoInput, by_name
from kiosk_locust.storage.inputs.look_cache import InspectionCache, Search
from kiosk_locust.storage.inputs.walking import walk


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules of a search."""

    checks: Checks = Checks.LENIENT
    follow_symlinks: bool = False  # also to targets outside the folder


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Files below ``root`` (absolute) in the order of their paths, and remarks."""

    root: str
    files: tuple[InputFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    doubts: tuple[Doubt, ...] = ()  # of ``files``


@dataclass(slots=True)
class SearchProgress:
    """Progress of a search; written by one thread, read by others."""

    begun: float = dataclasses.field(default_factory=time.monotonic)
    listed: int = 0  # files with known names
    is_listed: bool = False  # all names are known
    looked_at: int = 0


def fit_for(inputs: InputFiles, job_type: str) -> InputFiles:
    """Files that a job type's consumer accepts; the others are skipped with a reason.

    ``job_type`` is JOB_TYPE; an unknown type accepts all files.
    """
    files: list[InputFile] = []
    skipped = list(inputs.skipped)
    for file in inputs.files:
        if reason := _unusable(file, job_type):
            skipped.append(Skipped(file.path, reason))
        else:
            files.append(file)
    skipped.sort(key=lambda remark: remark.path)
    paths = {file.path for file in files}
    doubts = tuple(doubt for doubt in inputs.doubts if doubt.path in paths)
    return InputFiles(inputs.root, tuple(files), tuple(skipped), doubts)


def _unusable(file: InputFile, job_type: str) -> str:
    if file.kind is Kind.ZIP:
        return ""  # some of its images may differ from the inspected ones
    return unusable(job_type, file.array, file.image_name_for(job_type))


def find(
    path: Path,
    rules: Rules | None = None,
    progress: SearchProgress | None = None,
    looks: InspectionCache | None = None,
) -> InputFiles:
    """The file at ``path``, or all files below a folder; deterministic.

    Args:
        path: A file or folder.
        rules: Rules of the search.
        progress: Counts that are updated during the search.
        looks: Cache of inspections; unchanged files in it are not opened again.

    Raises:
        OSError: ``path`` itself cannot be read.

    """
    path, rules, progress = path.absolute(), rules or Rules(), progress or SearchProgress()
    files: list[InputFile] = []
    skipped: list[Skipped] = []
    doubts: list[Doubt] = []
    if path.is_dir():
        root = path
        os.listdir(root)
        paths = list(_listed(root, rules, progress, skipped))
    else:
        root, paths = path.parent, [path.name]
    search = (looks or InspectionCache()).begin()
    inspector = FileInspector(root, rules, search, is_named=root != path)
    for name in paths:
        result = inspector.at(name)
        progress.looked_at += 1
        if isinstance(result, Skipped):
            skipped.append(result)
            continue
        file, doubt = result
        files.append(file)
        if doubt:
            doubts.append(Doubt(file.path, doubt))
    search.end()
    files.sort(key=lambda file: file.path)
    for remarks in (skipped, doubts):
        remarks.sort(key=lambda name: name.path)
    return InputFiles(str(root), tuple(files), tuple(skipped), tuple(doubts))


def _listed(
    root: Path, rules: Rules, progress: SearchProgress, skipped: list[Skipped]
) -> Iterator[str]:
    """Paths below a folder; adds folders that are not entered to ``skipped``."""
    for entry in walk(root, follow_symlinks=rules.follow_symlinks):
        if isinstance(entry, Skipped):
            skipped.append(entry)
        else:
            progress.listed += 1
            yield entry
    progress.is_listed = True


class FileInspector:
    """Inspection of files below ``root``.

    A file that FILE names itself may be hidden, or a link to anywhere.
    """

    def __init__(self, root: Path, rules: Rules, search: Search, *, is_named: bool) -> None:
        self._root = root
        self._search = search
        self._resolved = root.resolve()
        self._rules = rules
        self._is_named = is_named

    def at(self, path: str) -> tuple[InputFile, str] | Skipped:
        """The file, with a doubt about it if any, or the reason why it is skipped."""
        file = self._root / path
        try:
            if reason := self._unfit_name(path):
                return Skipped(path, reason)
            if reason := self._unfit_link(file):
                return Skipped(path, reason)
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):
                return Skipped(path, "is no file")  # a pipe or device might never end
            if not status.st_size:
                return Skipped(path, "is empty")
            inspection = self._look(file, status)
        except NoInput as error:
            return Skipped(path, str(error))
        except OSError as error:
            return Skipped(path, f"cannot be read ({error.strerror or error})")
        if inspection.doubt and self._rules.checks is Checks.STRICT:
            return Skipped(path, f"{inspection.doubt} (INPUT_CHECKS is strict)")
        return InputFile(
            path, status.st_size, inspection.kind, inspection.images, inspection.array
        ), inspection.doubt

    def _look(self, file: Path, status: os.stat_result) -> Inspection:
        if self._rules.checks is not Checks.NONE:
            return self._search.inspect_file(file, status)
        inspection = by_name(file.name)
        if inspection is None:
            raise NoInput("is not called like an image or a ZIP (INPUT_CHECKS is none)")
        return inspection

    def _unfit_name(self, path: str) -> str:
        """Reason why a file's name excludes it; empty if it does not."""
        if os.path.basename(path).startswith(".") and not self._is_named:
            return "is hidden"
        if path.isascii() and path.isprintable():
            return ""
        categories = {unicodedata.category(char) for char in path}
        if "Cs" in categories:
            return "has a name that is not UTF-8"
        return "has control characters in its name" if "Cc" in categories else ""

    def _unfit_link(self, file: Path) -> str:
        """Reason why a link is not followed; empty if it is, or is no link."""
        if not file.is_symlink():
            return ""
        if not file.exists():
            return "is a link that leads nowhere"
        is_bound = not (self._is_named or self._rules.follow_symlinks)
        if is_bound and not file.resolve().is_relative_to(self._resolved):
            return "is a link that leads out of the folder (FOLLOW_SYMLINKS=true takes it)"
        return ""
