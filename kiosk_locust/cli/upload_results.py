"""``python -m kiosk_locust upload-results``: uploads a run's files to the bucket afterwards."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiosk_locust.checkpoint.archive import Archive
from kiosk_locust.config import parsers
from kiosk_locust.config.env_file import read_dotenv
from kiosk_locust.config.folders import is_near
from kiosk_locust.errors import KioskLocustError, LedgerError, Mistake, OptionsError
from kiosk_locust.ledger.reader import facts, opened
from kiosk_locust.model import file_names
from kiosk_locust.reporting.results_json import earlier_names
from kiosk_locust.storage.bucket import Address, open_bucket

COMMAND = "upload-results"
USAGE = f"usage: python -m kiosk_locust {COMMAND} [--storage-bucket BUCKET] PATH …\n"
_KINDS = (".json", ".html")
#: Names of results files, with or without their ledger: a cycle's file name has its run's id.
_OF_A_RUN = re.compile(r".*jobs_.*delay_[0-9a-f]{32}.*\.json")


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """Files of one run, or one file without its ledger; ``bucket`` is its ledger's."""

    files: tuple[Path, ...]
    bucket: str = ""


def main(arguments: list[str]) -> int:
    """Upload missing files; returns the exit code, 2 if a file could not be uploaded."""
    options = _parser().parse_args(arguments)
    try:
        settings = read_dotenv() | os.environ
        runs = [local_files for path in options.path for local_files in local_files_at(Path(path))]
        by_address = _addresses(options.storage_bucket, settings, runs)
        public = _is_public(settings)
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    codes = [_try_to_upload(files, address, public=public) for address, files in by_address.items()]
    return max(codes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m kiosk_locust {COMMAND}",
        description="Upload runs' files to output/ in the bucket, unless they are there.",
        epilog="STORAGE_BUCKET and PUBLIC_RESULTS count as in a run; where the former is not set,"
        " each ledger's bucket counts.",
    )
    path_help = "a ledger (with its results), a results file, or a folder of them"
    parser.add_argument("path", nargs="+", help=path_help)
    bucket_help = "gs://NAME, gs://NAME/PREFIX or file:///FOLDER"
    parser.add_argument("--storage-bucket", default="", metavar="BUCKET", help=bucket_help)
    return parser


def local_files_at(path: Path) -> list[LocalFiles]:
    """Files at ``path``, run by run.

    In a folder, only ledgers, their results and files named like results count, so that other files
    such as keys are not uploaded.

    Raises:
        LedgerError: There are none, or a ledger cannot be read.

    """
    if path.is_dir():
        runs = list(_in_folder(path))
    elif path.suffix == ".db":
        runs = [_of_ledger(path)]
    else:
        runs = [LocalFiles((path,))] if _is_result(path) else []
    if not runs:
        raise LedgerError(
            f"there are no results at {path}: give a ledger, a results file or folder"
        )
    return runs


def _in_folder(folder: Path) -> Iterator[LocalFiles]:
    listed: set[Path] = set()
    for ledger in sorted(folder.glob("[!.]*.db")):
        try:
            local_files = _of_ledger(ledger)
        except LedgerError as error:
            sys.stderr.write(f"left here: {error}\n")
            continue
        listed.update(local_files.files)
        yield local_files
    for path in sorted(folder.iterdir()):
        if path not in listed and _is_result(path) and _OF_A_RUN.fullmatch(path.name):
            yield LocalFiles((path,))


def _of_ledger(ledger: Path) -> LocalFiles:
    """A ledger and the results of its run beside it.

    Raises:
        LedgerError: The ledger cannot be read.

    """
    with opened(ledger) as db:
        run = facts(db)
    candidates = sorted(path for path in ledger.parent.iterdir() if _is_result(path))
    own_names = {f"{ledger.stem}.json", f"{ledger.stem}.html"}  # whatever run id the ledger has
    results = (
        path
        for path in candidates
        if path.name in own_names or file_names.is_result_of(path.name, run.run_id)
    )
    bucket = str((run.options.get("files") or {}).get("storage_bucket", ""))
    return LocalFiles((ledger, *results), bucket)


def _replaced(files: Sequence[Path]) -> list[str]:
    """Names of results that these files' runs had before they were resumed."""
    ledgers = (path for path in files if path.suffix == ".db")
    return [name for path in ledgers for name in earlier_names(path, files)]


def _is_result(path: Path) -> bool:
    return path.suffix in _KINDS and path.is_file() and not path.name.startswith(".")


def _addresses(
    flag: str, settings: Mapping[str, str], runs: Sequence[LocalFiles]
) -> dict[Address, list[Path]]:
    """Files by address: the given bucket, or else each ledger's own."""
    name, text = "--storage-bucket", flag.strip()
    if not text:
        name, text = "STORAGE_BUCKET", settings.get("STORAGE_BUCKET", "").strip()
    by_address: dict[Address, list[Path]] = {}
    for run in runs:
        first_path, bucket = run.files[0], text or run.bucket
        if not bucket:
            advice = f"is needed: say which bucket {first_path} shall go to"
            raise OptionsError([Mistake("STORAGE_BUCKET (--storage-bucket)", "", advice)])
        try:
            address = Address.parse(bucket)
        except ValueError as error:
            source = name if text else f"the ledger {first_path}"
            raise OptionsError([Mistake(source, bucket, str(error))]) from None
        if not text and address.folder and not is_near(address.folder, first_path.parent):
            advice = (
                "is a folder neither in the working folder nor beside the ledger: say"
                f" --storage-bucket {bucket} if it is meant"
            )
            raise OptionsError([Mistake(f"the ledger {first_path}", bucket, advice)])
        files = by_address.setdefault(address, [])
        files += [path for path in run.files if path not in files]
    return by_address


def _is_public(settings: Mapping[str, str]) -> bool:
    text = settings.get("PUBLIC_RESULTS", "").strip() or "false"
    try:
        return parsers.boolean(text)
    except ValueError as error:
        raise OptionsError([Mistake("PUBLIC_RESULTS", text, str(error))]) from None


def _try_to_upload(files: list[Path], address: Address, *, public: bool) -> int:
    try:
        return _upload(files, address, public=public)
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _upload(files: list[Path], address: Address, *, public: bool) -> int:
    """Upload files and list them; a simulated run's files go to no bucket of Google's."""
    simulated_files = [
        path for path in files if address.folder is None and file_names.is_marked(path.name)
    ]
    for path in simulated_files:
        sys.stderr.write(f"left here: {path} is of a simulated run\n")
    files = [path for path in files if path not in simulated_files]
    if not files:
        return 2
    bucket = open_bucket(address)
    try:
        bucket.check(writing=address.results(""))
        archive = Archive(bucket, address, public=public)
        result = archive.keep(files)
        if not result.missed:
            archive.drop(_replaced(files))
    finally:
        bucket.close()
    for url in result.urls:
        sys.stderr.write(f"in the bucket: {url}\n")
    for path, reason in result.missed:
        sys.stderr.write(f"not uploaded: {path}: {reason}\n")
    return 2 if result.missed or simulated_files else 0
