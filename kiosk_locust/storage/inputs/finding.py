"""All files below a folder that jobs can work on, and why others are skipped."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kiosk_locust.consumer.forms import unusable
from kiosk_locust.model.file_remarks import Doubt, Skipped
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.storage.inputs.kinds import Look, NoInput, by_name
from kiosk_locust.storage.inputs.look_cache import Looks, Search
from kiosk_locust.storage.inputs.walking import walk


class Checks(StrEnum):
    """How much a file is looked at before a job is made of it."""

    STRICT = "strict"  # a doubt skips it
    LENIENT = "lenient"  # a doubt is told, and the file is taken
    NONE = "none"  # it is not opened: its name and its size alone count


@dataclass(frozen=True, slots=True)
class Rules:
    """How files are looked for."""

    checks: Checks = Checks.LENIENT
    follow_symlinks: bool = False  # also out of the folder


@dataclass(frozen=True, slots=True)
class Found:
    """What is below ``root`` (absolute): files in the order of their paths, and the rest."""

    root: str
    files: tuple[InputFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    doubts: tuple[Doubt, ...] = ()  # of ``files``


@dataclass(slots=True)
class SearchProgress:
    """How far a search has got; one thread counts, others read."""

    begun: float = dataclasses.field(default_factory=time.monotonic)
    listed: int = 0  # files whose names are known
    is_listed: bool = False  # all are
    looked_at: int = 0


def fit_for(found: Found, job_type: str) -> Found:
    """The files that a job type's consumer can take; the others are skipped, with the reason.

    ``job_type`` is JOB_TYPE; all fit a type that is not known here.
    """
    files: list[InputFile] = []
    skipped = list(found.skipped)
    for file in found.files:
        if reason := _unusable(file, job_type):
            skipped.append(Skipped(file.path, reason))
        else:
            files.append(file)
    skipped.sort(key=lambda one: one.path)
    paths = {file.path for file in files}
    doubts = tuple(doubt for doubt in found.doubts if doubt.path in paths)
    return Found(found.root, tuple(files), tuple(skipped), doubts)


def _unusable(file: InputFile, job_type: str) -> str:
    if file.kind is Kind.ZIP:
        return ""  # some of its images may be others than those that were looked at
    return unusable(job_type, file.array, file.image_name_for(job_type))


def find(
    path: Path,
    rules: Rules | None = None,
    progress: SearchProgress | None = None,
    looks: Looks | None = None,
) -> Found:
    """What a file is, or all that is below a folder; the same again for the same files.

    Files that ``looks`` knows are not opened again. Raises OSError where ``path`` itself cannot be
    read.
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
    search = (looks or Looks()).begin()
    look = Looking(root, rules, search, is_named=root != path)
    for one in paths:
        seen = look.at(one)
        progress.looked_at += 1
        if isinstance(seen, Skipped):
            skipped.append(seen)
            continue
        file, doubt = seen
        files.append(file)
        if doubt:
            doubts.append(Doubt(file.path, doubt))
    search.end()
    files.sort(key=lambda file: file.path)
    for remarks in (skipped, doubts):
        remarks.sort(key=lambda one: one.path)
    return Found(str(root), tuple(files), tuple(skipped), tuple(doubts))


def _listed(
    root: Path, rules: Rules, progress: SearchProgress, skipped: list[Skipped]
) -> Iterator[str]:
    """The paths below a folder, by their names; adds to ``skipped`` what is not entered."""
    for one in walk(root, follow_symlinks=rules.follow_symlinks):
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            progress.listed += 1
            yield one
    progress.is_listed = True


class Looking:
    """A look at files below ``root``; one that was named may be hidden, or a link to anywhere."""

    def __init__(self, root: Path, rules: Rules, search: Search, *, is_named: bool) -> None:
        self._root = root
        self._search = search
        self._resolved = root.resolve()
        self._rules = rules
        self._is_named = is_named

    def at(self, path: str) -> tuple[InputFile, str] | Skipped:
        """The file, with the doubt that there is, or why it is skipped."""
        file = self._root / path
        try:
            if reason := self._unfit_name(path):
                return Skipped(path, reason)
            if reason := self._unfit_link(file):
                return Skipped(path, reason)
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):
                return Skipped(path, "is no file")  # a pipe, a device: it might never end
            if not status.st_size:
                return Skipped(path, "is empty")
            look = self._look(file, status)
        except NoInput as error:
            return Skipped(path, str(error))
        except OSError as error:
            return Skipped(path, f"cannot be read ({error.strerror or error})")
        if look.doubt and self._rules.checks is Checks.STRICT:
            return Skipped(path, f"{look.doubt} (INPUT_CHECKS is strict)")
        return InputFile(path, status.st_size, look.kind, look.images, look.array), look.doubt

    def _look(self, file: Path, status: os.stat_result) -> Look:
        if self._rules.checks is not Checks.NONE:
            return self._search.look_at(file, status)
        look = by_name(file.name)
        if look is None:
            raise NoInput("is not called like an image or a ZIP (INPUT_CHECKS is none)")
        return look

    def _unfit_name(self, path: str) -> str:
        """Why a file's name keeps it from being opened; empty: it does not."""
        if os.path.basename(path).startswith(".") and not self._is_named:
            return "is hidden"
        if path.isascii() and path.isprintable():
            return ""
        categories = {unicodedata.category(char) for char in path}
        if "Cs" in categories:
            return "has a name that is not UTF-8"
        return "has control characters in its name" if "Cc" in categories else ""

    def _unfit_link(self, file: Path) -> str:
        """Why a link is not followed; empty: it is, or the file is none."""
        if not file.is_symlink():
            return ""
        if not file.exists():
            return "is a link that leads nowhere"
        is_bound = not (self._is_named or self._rules.follow_symlinks)
        if is_bound and not file.resolve().is_relative_to(self._resolved):
            return "is a link that leads out of the folder (FOLLOW_SYMLINKS=true takes it)"
        return ""
