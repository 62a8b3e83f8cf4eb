"""Settings of the bucket, and of files that go in and come out."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "storage_bucket",
        "STORAGE_BUCKET",
        "",
        "The Kiosk's bucket: gs://NAME or NAME; results go to output/ in it, or with "
        "gs://NAME/PREFIX below that prefix.",
        derived="none; results stay here",
        in_form=False,
    ),
    Setting(
        "upload_results",
        "UPLOAD_RESULTS",
        "true",
        "Whether a run's files go to STORAGE_BUCKET at its end: true or false.",
        in_form=False,
        choices=("true", "false"),
    ),
    Setting(
        "no_upload_results",
        "",
        "false",
        "Leave the run's files where they are, as UPLOAD_RESULTS=false does.",
        is_flag=True,
    ),
    Setting(
        "checkpoint",
        "CHECKPOINT",
        "60",
        "How often the ledger is copied to STORAGE_BUCKET while the run goes on, so that it can go "
        "on elsewhere if this disk is lost; 0: never.",
        "s",
        in_form=False,
    ),
    Setting(
        "form_files",
        "FORM_FILES",
        "",
        "Folder below which the web form may name files of this machine: uploads, traces and "
        "prices; several with commas, or the flag several times.",
        derived="none but FILE",
        in_form=False,
        repeats=True,
    ),
    Setting(
        "public_results",
        "PUBLIC_RESULTS",
        "false",
        "Let everybody read the results that are uploaded, where the bucket allows it.",
        is_flag=True,
    ),
)
