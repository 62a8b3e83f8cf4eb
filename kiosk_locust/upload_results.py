"""Uploads to the bucket what a run left here, as it would have done at its end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from kiosk_locust import names
from kiosk_locust.archive import Archive
from kiosk_locust.bucket import Address, open_bucket
from kiosk_locust.errors import KioskLocustError, LedgerError, Mistake, OptionsError
from kiosk_locust.reading import Facts, facts, opened
from kiosk_locust.settings import parsing
from kiosk_locust.settings.sources import read_dotenv

COMMAND = "upload-results"
USAGE = f"usage: python -m kiosk_locust {COMMAND} [--storage-bucket BUCKET] PATH\n"
_KINDS = (".db", ".json", ".html")


def main(arguments: list[str]) -> int:
    """Upload what is missing; returns the exit code: 2 where something could not be."""
    given = _parser().parse_args(arguments)
    try:
        settings = read_dotenv() | os.environ
        files = found(Path(given.path))
        address = _address(given.storage_bucket, settings, files)
        return _upload(files, address, public=_is_public(settings))
    except KioskLocustError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m kiosk_locust {COMMAND}",
        description="Upload a run's files to output/ in the bucket, unless they are there.",
        epilog="STORAGE_BUCKET and PUBLIC_RESULTS count as in a run; where the former is not set,"
        " the ledger's counts.",
    )
    parser.add_argument("path", help="a ledger (with its results), a results file, or their folder")
    parser.add_argument("--storage-bucket", default="", help="gs://NAME or gs://NAME/PREFIX")
    return parser


def found(path: Path) -> list[Path]:
    """The files that ``path`` means; raises LedgerError where it means none."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if _is_result(each))
    elif path.suffix == ".db":
        files = [path, *results_of(path)]
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise LedgerError(
            f"there are no results at {path}: give a ledger, a results file or folder"
        )
    return files


def results_of(ledger: Path) -> list[Path]:
    """The results beside a ledger that are of its run; raises LedgerError."""
    with opened(ledger) as db:
        run = facts(db)
    beside = sorted(each for each in ledger.parent.iterdir() if _is_result(each))
    own = {f"{run.run_name}.json", f"{run.run_name}.html"}
    return [
        each
        for each in beside
        if each.suffix != ".db" and (each.name in own or f"_{run.run_id}" in each.name)
    ]


def _is_result(path: Path) -> bool:
    return path.suffix in _KINDS and path.is_file() and not path.name.startswith(".")


def _address(flag: str, settings: Mapping[str, str], files: Iterable[Path]) -> Address:
    """The bucket that was given, or else a ledger's."""
    name, text = "--storage-bucket", flag.strip()
    if not text:
        name, text = "STORAGE_BUCKET", settings.get("STORAGE_BUCKET", "").strip()
    for path in files:
        if not text and path.suffix == ".db":
            name, text = f"the ledger {path}", _bucket_of(path)
    if not text:
        advice = "is needed: say which bucket the results shall go to"
        raise OptionsError([Mistake("STORAGE_BUCKET (--storage-bucket)", "", advice)])
    try:
        return Address.parse(text)
    except ValueError as error:
        raise OptionsError([Mistake(name, text, str(error))]) from None


def _bucket_of(ledger: Path) -> str:
    with opened(ledger) as db:
        run: Facts = facts(db)
    return str((run.options.get("files") or {}).get("storage_bucket", ""))


def _is_public(settings: Mapping[str, str]) -> bool:
    text = settings.get("PUBLIC_RESULTS", "").strip() or "false"
    try:
        return parsing.boolean(text)
    except ValueError as error:
        raise OptionsError([Mistake("PUBLIC_RESULTS", text, str(error))]) from None


def _upload(files: list[Path], address: Address, *, public: bool) -> int:
    """Upload and say so; a simulated run's files go to no bucket of Google's."""
    refused = [path for path in files if address.folder is None and names.is_marked(path.name)]
    for path in refused:
        sys.stderr.write(f"left here: {path} is of a simulated run\n")
    files = [path for path in files if path not in refused]
    if not files:
        return 2
    bucket = open_bucket(address)
    try:
        bucket.check(writing=address.results(""))
        done = Archive(bucket, address, public=public).keep(files)
    finally:
        bucket.close()
    for url in done.urls:
        sys.stderr.write(f"in the bucket: {url}\n")
    for path, reason in done.missed:
        sys.stderr.write(f"not uploaded: {path}: {reason}\n")
    return 2 if done.missed or refused else 0
