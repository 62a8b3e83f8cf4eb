"""Uploads to the bucket what a run left here, as it would have done at its end."""

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
#: Names of results, whatever became of their ledger: those of a cycle have its run's id.
_OF_A_RUN = re.compile(r".*jobs_.*delay_[0-9a-f]{32}.*\.json")


@dataclass(frozen=True, slots=True)
class Left:
    """Files of one run, or one file whose ledger is not there; ``bucket`` is its ledger's."""

    files: tuple[Path, ...]
    bucket: str = ""


def main(arguments: list[str]) -> int:
    """Upload what is missing; returns the exit code: 2 where something could not be."""
    given = _parser().parse_args(arguments)
    try:
        settings = read_dotenv() | os.environ
        left = [one for path in given.path for one in found(Path(path))]
        where = _addresses(given.storage_bucket, settings, left)
        public = _is_public(settings)
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    codes = [_try_to_upload(files, address, public=public) for address, files in where.items()]
    return max(codes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m kiosk_locust {COMMAND}",
        description="Upload runs' files to output/ in the bucket, unless they are there.",
        epilog="STORAGE_BUCKET and PUBLIC_RESULTS count as in a run; where the former is not set,"
        " each ledger's bucket counts.",
    )
    what = "a ledger (with its results), a results file, or a folder of them"
    parser.add_argument("path", nargs="+", help=what)
    where = "gs://NAME, gs://NAME/PREFIX or file:///FOLDER"
    parser.add_argument("--storage-bucket", default="", metavar="BUCKET", help=where)
    return parser


def found(path: Path) -> list[Left]:
    """What ``path`` means, run by run; raises LedgerError where it means nothing.

    Of a folder nothing counts but ledgers, their results, and what is named like results: a key
    file or the like that lies there, too, is nobody's result.
    """
    if path.is_dir():
        left = list(_in_folder(path))
    elif path.suffix == ".db":
        left = [_of_ledger(path)]
    else:
        left = [Left((path,))] if _is_result(path) else []
    if not left:
        raise LedgerError(
            f"there are no results at {path}: give a ledger, a results file or folder"
        )
    return left


def _in_folder(folder: Path) -> Iterator[Left]:
    known: set[Path] = set()
    for ledger in sorted(folder.glob("[!.]*.db")):
        try:
            one = _of_ledger(ledger)
        except LedgerError as error:
            sys.stderr.write(f"left here: {error}\n")
            continue
        known.update(one.files)
        yield one
    for path in sorted(folder.iterdir()):
        if path not in known and _is_result(path) and _OF_A_RUN.fullmatch(path.name):
            yield Left((path,))


def _of_ledger(ledger: Path) -> Left:
    """A ledger and the results beside it that are of its run; raises LedgerError."""
    with opened(ledger) as db:
        run = facts(db)
    beside = sorted(each for each in ledger.parent.iterdir() if _is_result(each))
    own = {f"{ledger.stem}.json", f"{ledger.stem}.html"}  # whatever name the ledger gives itself
    results = (
        path
        for path in beside
        if path.name in own or file_names.is_result_of(path.name, run.run_id)
    )
    bucket = str((run.options.get("files") or {}).get("storage_bucket", ""))
    return Left((ledger, *results), bucket)


def _replaced(files: Sequence[Path]) -> list[str]:
    """Names of results that these files' runs had before they were resumed."""
    ledgers = (path for path in files if path.suffix == ".db")
    return [name for path in ledgers for name in earlier_names(path, files)]


def _is_result(path: Path) -> bool:
    return path.suffix in _KINDS and path.is_file() and not path.name.startswith(".")


def _addresses(
    flag: str, settings: Mapping[str, str], left: Sequence[Left]
) -> dict[Address, list[Path]]:
    """Which files go where: to the bucket that was given, or else each ledger's to its own."""
    name, text = "--storage-bucket", flag.strip()
    if not text:
        name, text = "STORAGE_BUCKET", settings.get("STORAGE_BUCKET", "").strip()
    where: dict[Address, list[Path]] = {}
    for one in left:
        first, bucket = one.files[0], text or one.bucket
        if not bucket:
            advice = f"is needed: say which bucket {first} shall go to"
            raise OptionsError([Mistake("STORAGE_BUCKET (--storage-bucket)", "", advice)])
        try:
            address = Address.parse(bucket)
        except ValueError as error:
            source = name if text else f"the ledger {first}"
            raise OptionsError([Mistake(source, bucket, str(error))]) from None
        if not text and address.folder and not is_near(address.folder, first.parent):
            advice = (
                "is a folder neither in the working folder nor beside the ledger: say"
                f" --storage-bucket {bucket} if it is meant"
            )
            raise OptionsError([Mistake(f"the ledger {first}", bucket, advice)])
        files = where.setdefault(address, [])
        files += [path for path in one.files if path not in files]
    return where


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
    """Upload and say so; a simulated run's files go to no bucket of Google's."""
    refused = [path for path in files if address.folder is None and file_names.is_marked(path.name)]
    for path in refused:
        sys.stderr.write(f"left here: {path} is of a simulated run\n")
    files = [path for path in files if path not in refused]
    if not files:
        return 2
    bucket = open_bucket(address)
    try:
        bucket.check(writing=address.results(""))
        archive = Archive(bucket, address, public=public)
        done = archive.keep(files)
        if not done.missed:
            archive.drop(_replaced(files))
    finally:
        bucket.close()
    for url in done.urls:
        sys.stderr.write(f"in the bucket: {url}\n")
    for path, reason in done.missed:
        sys.stderr.write(f"not uploaded: {path}: {reason}\n")
    return 2 if done.missed or refused else 0
