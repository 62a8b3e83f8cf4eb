"""Settings of the bucket and of uploaded results."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import optional
from kiosk_locust.config.table.setting import Resume, Setting
from kiosk_locust.storage.bucket.address import Address


def _bucket(text: str) -> str:
    return str(Address.parse(parsers.plain(text)))


def _interval(text: str) -> float:
    """Seconds between two checkpoints; buckets limit writes of an object to one per second."""
    seconds = parsers.seconds(text)
    if 0 < seconds < 1:
        raise ValueError("must be 0, which means never, or at least 1 s")
    return seconds


def _folders(text: str) -> str:
    """Existing folders, with commas between."""
    for part in filter(None, map(str.strip, text.split(","))):
        if not parsers.path(part).is_dir():
            raise ValueError(f"must be folders that are there, with commas between; {part} is none")
    return text.strip()


SETTINGS = (
    Setting(
        "storage_bucket",
        "",
        "The Kiosk's bucket: gs://NAME or NAME; results go to output/ in it, or with "
        "gs://NAME/PREFIX below that prefix.",
        derived="none; results stay here",
        in_form=False,
        field="files.storage_bucket",
        parse=optional(_bucket, ""),
        resume=Resume.ANEW,
    ),
    Setting(
        "upload_results",
        "true",
        "Whether a run's files go to STORAGE_BUCKET at its end: true or false.",
        in_form=False,
        field="files.upload_results",
        parse=parsers.boolean,
    ),
    Setting(
        "no_upload_results",
        "false",
        "Leave the run's files where they are, as UPLOAD_RESULTS=false does.",
        env_name=None,
        is_flag=True,
        field=None,
        parse=parsers.boolean,
    ),
    Setting(
        "checkpoint",
        "60",
        "How often the ledger is copied to STORAGE_BUCKET while the run goes on, so that it can go "
        "on elsewhere if this disk is lost; 0: never.",
        "s",
        in_form=False,
        field="files.checkpoint_s",
        parse=_interval,
    ),
    Setting(
        "form_files",
        "",
        "Folder below which the web form may name files of this machine: uploads, traces and "
        "prices; several with commas, or the flag several times.",
        derived="none but FILE",
        in_form=False,
        repeats=True,
        field=None,
        parse=_folders,
    ),
    Setting(
        "public_results",
        "false",
        "Let everybody read the results that are uploaded, where the bucket allows it.",
        is_flag=True,
        field="files.public_results",
        parse=parsers.boolean,
    ),
)
