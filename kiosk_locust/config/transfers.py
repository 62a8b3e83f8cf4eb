"""Settings of uploads before a job and downloads after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.config import confined, parsers
from kiosk_locust.config.folders import is_near
from kiosk_locust.config.sources import SettingText
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.target import Target
from kiosk_locust.config.validation import Checker
from kiosk_locust.model.file_remarks import Doubt, Skipped, in_words, reasons
from kiosk_locust.model.input_file import Checks, InputFile
from kiosk_locust.model.options import Mode
from kiosk_locust.storage.inputs.finding import InputFiles, Rules, fit_for
from kiosk_locust.storage.inputs.recheck import PlannedFiles
from kiosk_locust.storage.inputs.scanning import Find

#: Skipped files listed in a mistake; the log has all.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Transfers:
    """Fields of the options, the effective FILE, and remarks about its files."""

    fields: Mapping[str, Any]
    inputs: tuple[InputFile, ...]
    file: str
    skipped: tuple[Skipped, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def is_uploading(check: Checker) -> bool:
    """Tell if FILE is a local file or folder."""
    upload: bool = check.take("upload")
    return upload or check.take("mode") == "upload"


def transfers(
    check: Checker, kiosk: Target, find: Find, planned: PlannedFiles | None = None
) -> Transfers:
    """Options of transfers to and from ``kiosk``; notes mistakes.

    Args:
        check: The settings.
        kiosk: The selected Kiosk.
        find: Finds local files.
        planned: The files of an existing plan, which replace a search.

    """
    file = kiosk.file
    mode: Mode = check.take("mode")
    upload, route = is_uploading(check), check.take("upload_via")
    if upload and route == "bucket" and not check.layers.get("storage_bucket"):
        check.refuse(check.layers.get("upload_via"), "needs a bucket: set STORAGE_BUCKET")
    rules = Rules(Checks(check.take("input_checks")), check.take("follow_symlinks"))
    inputs = InputFiles("")
    if upload and (route == "bucket" or _may_go_there(check, kiosk)):
        if planned is None:
            inputs = _find(check, file, mode, lambda path: find(path, rules))
        else:
            inputs = _find_again(check, file, planned)
    fields = {
        "transfers.upload": upload,
        "transfers.download": _download(check, mode),
        "transfers.root": inputs.root,
        "transfers.inputs": inputs.files,
        "transfers.any_bucket": kiosk.is_operators,
    }
    shown = str(_path(file)) if upload and file else file
    return Transfers(fields, inputs.files, shown, inputs.skipped, inputs.doubts)


def _may_go_there(check: Checker, kiosk: Target) -> bool:
    """Tell if FILE may go to this Kiosk; notes a mistake if the form named another Kiosk."""
    entry, operators_host = check.layers.get("file"), kiosk.operators_host
    if entry is None or not operators_host or kiosk.is_operators:
        return True
    if confined.may_go_to_another(entry.text, check.layers):
        return True
    check.failed.add("file")
    check.refuse(entry, confined.ANOTHERS_ADVICE.format(ours=operators_host, theirs=kiosk.host))
    return False


def _download(check: Checker, mode: Mode) -> bool:
    download: bool | None = check.take("download_results")
    if check.take("no_download_results"):
        return False
    return mode == "upload" if download is None else download


def _find(check: Checker, file: str, mode: Mode, find: Callable[[Path], InputFiles]) -> InputFiles:
    """Files of a new plan; notes a mistake if there are none."""
    entry = check.layers.get("file")
    if not file or entry is None:
        if "file" not in check.failed:
            kind = "file or folder" if mode == "upload" else "file"
            advice = f"is required here: name the local {kind} to upload"
            check.refuse_missing("file", advice)
        return InputFiles("")
    path = _path(file)
    if not confined.is_allowed(entry, check.layers):
        check.failed.add("file")
        check.refuse(entry, confined.ADVICE)
    elif not path.exists():
        check.refuse(entry, f"is to be uploaded, but there is no {path} on this machine")
    elif mode == "benchmark" and path.is_dir():
        check.refuse(entry, "is a folder; --mode upload makes a job for every file in it")
    else:
        inputs = _fitting_files(check, entry, path, find)
        if not inputs.files and "file" not in check.failed:
            check.refuse(entry, f"has nothing to upload: {_reasons(inputs.skipped)}")
        return inputs
    return InputFiles("")


def _find_again(check: Checker, file: str, planned: PlannedFiles) -> InputFiles:
    """Files of a ledger's plan in FILE; notes a mistake if they must not be uploaded.

    Settings of the user who resumes the run precede the ledger's. FILE from the ledger alone counts
    only below the working folder. The ledger's relaxed checks and followed links never count.
    """
    entry, ledger_entry = check.layers.get("file"), check.layers.only("file", planned.place)
    if entry is None or not file:
        check.refuse_missing("file", f"is required: {planned.place} does not say what it uploads")
        return InputFiles("")
    path = _path(file)
    if not planned.files:
        check.refuse(entry, f"is to be uploaded, but {planned.place} has no file in its plan")
    elif entry is ledger_entry and not is_near(path):
        check.refuse(
            entry,
            "is not in the working folder, and nobody else says that it may be uploaded: set FILE"
            " (--file) to it if that is meant, or to where its files are on this machine",
        )
    elif not path.exists() and planned.left:
        check.refuse(entry, f"is to be uploaded, but there is no {path} on this machine")
    elif unfit := planned.unfit(path, _rules_of_user(check, planned.place)):
        reason = f"{_reasons(unfit)}{_hint(check)}"
        check.refuse(entry, f"has not what {planned.place} would upload from it: {reason}")
    elif entry is ledger_entry:
        check.notice(f"files are uploaded from {path}, which {planned.place} alone names")
    elif ledger_entry is not None and _path(ledger_entry.text) != path:
        check.notice(f"{entry.shown} counts: {planned.place} would upload from {ledger_entry.text}")
    return planned.found(path)


def _rules_of_user(check: Checker, place: str) -> Rules:
    """Rules for checking files: the resuming user's, or the defaults."""
    layers = check.layers.without_place(place)
    checks = layers.text("input_checks").lower() or Checks.LENIENT.value
    follows = layers.text("follow_symlinks") or "false"
    try:
        return Rules(Checks(checks), parsers.boolean(follows))
    except ValueError:
        return Rules()  # the mistake is noted elsewhere


def _hint(check: Checker) -> str:
    """Hint at settings of the ledger that relaxed the checks of files."""
    names = {"input_checks": Checks.NONE.value, "follow_symlinks": "true"}
    looser = [
        f"{SETTINGS[name].env}={text}"
        for name, text in names.items()
        if check.layers.text(name).lower() == text
    ]
    if not looser:
        return ""
    return f" (it had {' and '.join(looser)}, which counts only where it is given again)"


def _path(file: str) -> Path:
    return parsers.path(file).absolute()


def _fitting_files(
    check: Checker, entry: SettingText, path: Path, find: Callable[[Path], InputFiles]
) -> InputFiles:
    """Files below ``path`` that fit the job type."""
    job_type = check.layers.text("job_type").strip() or SETTINGS["job_type"].default
    try:
        return fit_for(find(path), job_type)
    except OSError as error:
        check.failed.add("file")
        check.refuse(entry, f"cannot be read: {error.strerror}")
        return InputFiles("")


def _reasons(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return "the folder is empty"
    more = len(skipped) - _SHOWN
    listed = "; ".join(map(str, skipped[:_SHOWN]))
    if more <= 0:
        return listed
    return f"{listed}; and {more:,} more; of all, {in_words(reasons(skipped))}"
