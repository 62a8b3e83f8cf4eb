"""Listing of files below a folder by name; links to folders are entered on request.

Each folder is entered once, however many links lead to it, so circular links end.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from kiosk_locust.model.file_remarks import Skipped

_Identity = tuple[int, int]  # device and inode


def walk(root: Path, *, follow_symlinks: bool) -> Iterator[str | Skipped]:
    """Paths below ``root``, absolute, of everything but folders; and folders that are skipped.

    Links are entered after all folders below ``root`` itself.
    """
    entered: set[_Identity] = set()
    if follow_symlinks:
        entered.add(_identity(os.stat(root)))
    folders, links = [os.fspath(root)], deque[str]()
    while folders or links:
        if not folders:
            link = links.popleft()
            if reason := _enter(link, entered):
                yield Skipped(os.path.relpath(link, root), reason)
                continue
            folders.append(link)
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Skipped(os.path.relpath(folder, root), f"cannot be read ({error.strerror})")
            continue
        for entry in listed:
            if not _is_folder(entry):
                yield os.path.relpath(entry.path, root)
            elif entry.name.startswith("."):
                yield Skipped(os.path.relpath(entry.path, root), "is hidden")
            elif not entry.is_symlink():
                folders.append(entry.path)
                if follow_symlinks:
                    entered.add(_identity(entry.stat(follow_symlinks=False)))
            elif follow_symlinks:
                links.append(entry.path)
            else:
                advice = "is a link to a folder (FOLLOW_SYMLINKS=true enters it)"
                yield Skipped(os.path.relpath(entry.path, root), advice)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _enter(link: str, entered: set[_Identity]) -> str:
    """Note the target folder of a link; returns the reason if it must not be entered."""
    try:
        identity = _identity(os.stat(link))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if identity in entered:
        return "is a link to a folder that is looked through already"
    entered.add(identity)
    return ""


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino
