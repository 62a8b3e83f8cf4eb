"""What is uploaded before a job, and downloaded after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.config import confined, parsers
from kiosk_locust.config.folders import is_near
from kiosk_locust.config.sources import Given
from kiosk_locust.config.table import SETTINGS
from kiosk_locust.config.target import Target
from kiosk_locust.config.validation import Checker
from kiosk_locust.model.file_remarks import Doubt, Skipped, in_words, reasons
from kiosk_locust.model.input_file import Checks, InputFile
from kiosk_locust.model.options import Mode
from kiosk_locust.storage.inputs.finding import Found, Rules, fit_for
from kiosk_locust.storage.inputs.recheck import Planned
from kiosk_locust.storage.inputs.scanning import Find

#: So many files that were skipped are told one by one in a mistake; the log has all.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Transfers:
    """Fields of the options, FILE as it then counts, and what is to be said of its files."""

    fields: Mapping[str, Any]
    inputs: tuple[InputFile, ...]
    file: str
    skipped: tuple[Skipped, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def is_uploading(check: Checker) -> bool:
    """Whether FILE is a local file or folder."""
    upload: bool = check.take("upload")
    return upload or check.take("mode") == "upload"


def transfers(
    check: Checker, kiosk: Target, find: Find, planned: Planned | None = None
) -> Transfers:
    """The options of transfers to and from ``kiosk``; notes mistakes.

    ``find`` looks for what is there; ``planned`` are the files of a plan that is there already:
    no others are looked for.
    """
    file = kiosk.file
    mode: Mode = check.take("mode")
    upload, via = is_uploading(check), check.take("upload_via")
    if upload and via == "bucket" and not check.layers.get("storage_bucket"):
        check.refuse(check.layers.get("upload_via"), "needs a bucket: set STORAGE_BUCKET")
    rules = Rules(Checks(check.take("input_checks")), check.take("follow_symlinks"))
    found = Found("")
    if upload and (via == "bucket" or _may_go_there(check, kiosk)):
        if planned is None:
            found = _find(check, file, mode, lambda path: find(path, rules))
        else:
            found = _find_again(check, file, planned)
    fields = {
        "transfers.upload": upload,
        "transfers.download": _download(check, mode),
        "transfers.root": found.root,
        "transfers.inputs": found.files,
        "transfers.any_bucket": kiosk.is_operators,
    }
    shown = str(_path(file)) if upload and file else file
    return Transfers(fields, found.files, shown, found.skipped, found.doubts)


def _may_go_there(check: Checker, kiosk: Target) -> bool:
    """Whether FILE may go to a Kiosk of the form's, where the operator named another; or notes."""
    given, ours = check.layers.get("file"), kiosk.operators_host
    if given is None or not ours or kiosk.is_operators:
        return True
    if confined.may_go_to_another(given.text, check.layers):
        return True
    check.failed.add("file")
    check.refuse(given, confined.ANOTHERS_ADVICE.format(ours=ours, theirs=kiosk.host))
    return False


def _download(check: Checker, mode: Mode) -> bool:
    wanted: bool | None = check.take("download_results")
    if check.take("no_download_results"):
        return False
    return mode == "upload" if wanted is None else wanted


def _find(check: Checker, file: str, mode: Mode, find: Callable[[Path], Found]) -> Found:
    """The files of the plan; a mistake where there are none."""
    given = check.layers.get("file")
    if not file or given is None:
        if "file" not in check.failed:
            what = "file or folder" if mode == "upload" else "file"
            advice = f"is required here: name the local {what} to upload"
            check.refuse_missing("file", advice)
        return Found("")
    path = _path(file)
    if not confined.is_allowed(given, check.layers):
        check.failed.add("file")
        check.refuse(given, confined.ADVICE)
    elif not path.exists():
        check.refuse(given, f"is to be uploaded, but there is no {path} on this machine")
    elif mode == "benchmark" and path.is_dir():
        check.refuse(given, "is a folder; --mode upload makes a job for every file in it")
    else:
        found = _looked_through(check, given, path, find)
        if not found.files and "file" not in check.failed:
            check.refuse(given, f"has nothing to upload: {_reasons(found.skipped)}")
        return found
    return Found("")


def _find_again(check: Checker, file: str, planned: Planned) -> Found:
    """The files of a ledger's plan in FILE; a mistake where they must not be uploaded.

    What whoever resumes the run gave comes before what the ledger says. FILE by the ledger alone
    counts below the working folder; that less is looked at, or links are followed, never does.
    """
    given, theirs = check.layers.get("file"), check.layers.only("file", planned.place)
    if given is None or not file:
        check.refuse_missing("file", f"is required: {planned.place} does not say what it uploads")
        return Found("")
    path = _path(file)
    if not planned.files:
        check.refuse(given, f"is to be uploaded, but {planned.place} has no file in its plan")
    elif given is theirs and not is_near(path):
        check.refuse(
            given,
            "is not in the working folder, and nobody else says that it may be uploaded: set FILE"
            " (--file) to it if that is meant, or to where its files are on this machine",
        )
    elif not path.exists() and planned.left:
        check.refuse(given, f"is to be uploaded, but there is no {path} on this machine")
    elif unfit := planned.unfit(path, _rules_of_who_resumes(check, planned.place)):
        why = f"{_reasons(unfit)}{_hint(check)}"
        check.refuse(given, f"has not what {planned.place} would upload from it: {why}")
    elif given is theirs:
        check.notice(f"files are uploaded from {path}, which {planned.place} alone names")
    elif theirs is not None and _path(theirs.text) != path:
        check.notice(f"{given.shown} counts: {planned.place} would upload from {theirs.text}")
    return planned.found(path)


def _rules_of_who_resumes(check: Checker, place: str) -> Rules:
    """Rules for looking at files: those given beside the ledger, or else the defaults."""
    layers = check.layers.without_place(place)
    checks = layers.text("input_checks").lower() or Checks.LENIENT.value
    follows = layers.text("follow_symlinks") or "false"
    try:
        return Rules(Checks(checks), parsers.boolean(follows))
    except ValueError:
        return Rules()  # the mistake is noted where it is taken


def _hint(check: Checker) -> str:
    """A hint at settings of the ledger by which files were looked at less."""
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


def _looked_through(
    check: Checker, given: Given, path: Path, find: Callable[[Path], Found]
) -> Found:
    """What is there, and fits the type of job."""
    job_type = check.layers.text("job_type").strip() or SETTINGS["job_type"].default
    try:
        return fit_for(find(path), job_type)
    except OSError as error:
        check.failed.add("file")
        check.refuse(given, f"cannot be read: {error.strerror}")
        return Found("")


def _reasons(skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return "the folder is empty"
    more = len(skipped) - _SHOWN
    told = "; ".join(map(str, skipped[:_SHOWN]))
    if more <= 0:
        return told
    return f"{told}; and {more:,} more; of all, {in_words(reasons(skipped))}"
