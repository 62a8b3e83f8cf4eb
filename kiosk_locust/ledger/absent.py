"""Why there is nothing to read at a path, and what is near that could have been meant."""

from __future__ import annotations

from pathlib import Path

#: Where a run's files are, unless OUTPUT_DIR says otherwise.
_USUAL = Path("results")
_SHOWN = 3


def why_absent(path: Path) -> str:
    """A sentence with its cure, where ``path`` is no file; empty where it is one."""
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:  # nobody may look
        return str(error)
    if is_file:
        return ""
    if is_folder:
        return f"it is a folder; name a ledger in it{_near(path, path.suffix)}"
    return (
        f"there is no such file; give the path of a <run>.db{_near(path.parent, path.suffix)}"
        " (runs are written to OUTPUT_DIR)"
    )


def _near(folder: Path, suffix: str) -> str:
    """The newest files of that kind in the folder, or in the usual one."""
    pattern = "*.json" if suffix == ".json" else "*.db"
    for place in (folder, _USUAL):
        found = sorted(place.glob(pattern), key=lambda each: each.stat().st_mtime, reverse=True)
        if found:
            return f", such as {', '.join(str(each) for each in found[:_SHOWN])}"
    return ""
