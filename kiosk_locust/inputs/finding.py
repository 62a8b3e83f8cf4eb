"""All files below a folder that jobs can work on, and why others are skipped."""

from __future__ import annotations

import logging
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust import units
from kiosk_locust.consumer.forms import unusable
from kiosk_locust.excerpt import escaped
from kiosk_locust.inputs.file import InputFile, Kind
from kiosk_locust.inputs.kinds import NoInput, array_in, look_at

logger = logging.getLogger(__name__)

#: More of them would only flood the screen; the log file has them all.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or folder, that makes no job; ``path`` is below the root."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{escaped(self.path)} {self.reason}"


@dataclass(frozen=True, slots=True)
class Found:
    """What is below ``root`` (absolute): files in the order of their paths, and the rest."""

    root: str
    files: tuple[InputFile, ...] = ()
    skipped: tuple[Skipped, ...] = ()


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
    return Found(found.root, tuple(files), tuple(skipped))


def _unusable(file: InputFile, job_type: str) -> str:
    if file.kind is Kind.ZIP:
        return ""  # some of its images may be others than those that were looked at
    return unusable(job_type, file.array, file.image_name_for(job_type))


def find(path: Path) -> Found:
    """What a file is, or all that is below a folder; the same again for the same files.

    Symbolic links are followed where they stay below the folder, and lead to a file; raises
    OSError where ``path`` itself cannot be read.
    """
    path = path.absolute()
    if not path.is_dir():
        root = path.parent
        one = _look(root, path.name, is_named=True)
        return Found(str(root), *(((one,), ()) if isinstance(one, InputFile) else ((), (one,))))
    os.listdir(path)
    files: list[InputFile] = []
    skipped: list[Skipped] = []
    for one in _walk(path):
        if isinstance(one, InputFile):
            files.append(one)
        else:
            skipped.append(one)
    files.sort(key=lambda file: file.path)
    skipped.sort(key=lambda one: one.path)
    return Found(str(path), tuple(files), tuple(skipped))


def tell_skipped(skipped: Sequence[Skipped]) -> None:
    """Log what was skipped: how much of it and why, and each file."""
    if not skipped:
        return
    reasons = Counter(re.sub(r" \(.*", "", one.reason) for one in skipped).most_common()
    counted = "; ".join(f"{number:,}: it {reason}" for reason, number in reasons)
    logger.warning("%s skipped (%s)", units.count(len(skipped), "file"), counted)
    level = logging.INFO if len(skipped) <= SHOWN else logging.DEBUG
    for one in skipped:
        logger.log(level, "skipped: %s", one)


def _walk(root: Path) -> Iterator[InputFile | Skipped]:
    unread: list[Skipped] = []

    def on_error(error: OSError) -> None:
        unread.append(Skipped(_below(root, error.filename), f"cannot be read ({error.strerror})"))

    for folder, folders, names in os.walk(root, onerror=on_error):
        yield from unread
        unread.clear()
        for name in [name for name in folders if _is_hidden(name)]:
            folders.remove(name)
            yield Skipped(_below(root, os.path.join(folder, name)), "is hidden")
        for name in [name for name in folders if os.path.islink(os.path.join(folder, name))]:
            folders.remove(name)
            yield Skipped(_below(root, os.path.join(folder, name)), "is a link to a folder")
        for name in names:
            yield _look(root, _below(root, os.path.join(folder, name)))
    yield from unread


def _look(root: Path, path: str, *, is_named: bool = False) -> InputFile | Skipped:
    """One file below ``root``; one that was named itself may be hidden, or a link to anywhere."""
    file = root / path
    try:
        if reason := _unfit(root, file, path, is_named=is_named):
            return Skipped(path, reason)
        kind, images = look_at(file)
        return InputFile(path, file.stat().st_size, kind, images, array_in(file, kind))
    except NoInput as error:
        return Skipped(path, str(error))
    except OSError as error:
        return Skipped(path, f"cannot be read ({error.strerror or error})")


def _unfit(root: Path, file: Path, path: str, *, is_named: bool) -> str:
    """Why a file is not even opened; empty: it may be."""
    if _is_hidden(file.name) and not is_named:
        return "is hidden"
    categories = {unicodedata.category(char) for char in path}
    if "Cs" in categories:
        return "has a name that is not UTF-8"
    if "Cc" in categories:
        return "has control characters in its name"
    if file.is_symlink():
        if not is_named and not file.resolve().is_relative_to(root.resolve()):
            return "is a link that leads out of the folder"
        if not file.exists():
            return "is a link that leads nowhere"
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        return "is no file"  # a pipe, a device, a socket: reading might never end
    return "" if found.st_size else "is empty"


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _below(root: Path, path: str) -> str:
    return os.path.relpath(path, root)
