"""Settings of what is uploaded before a job, and downloaded after it."""

from __future__ import annotations

from kiosk_locust.config.table.setting import Setting

SETTINGS = (
    Setting(
        "mode",
        "MODE",
        "benchmark",
        "benchmark: COUNT jobs on one FILE; upload: a job for every image and ZIP that FILE, a "
        "local file or folder, is or holds.",
        choices=("benchmark", "upload"),
    ),
    Setting(
        "upload",
        "UPLOAD",
        "false",
        "In benchmark mode, have each job upload FILE, a local file, before it is submitted.",
        is_flag=True,
    ),
    Setting(
        "input_checks",
        "INPUT_CHECKS",
        "lenient",
        "How much files are looked at before they are uploaded: strict skips what the Kiosk may "
        "fail on, lenient skips what it surely fails on and says the rest, none opens no file and "
        "goes by names and sizes.",
        choices=("strict", "lenient", "none"),
        in_form=False,
    ),
    Setting(
        "follow_symlinks",
        "FOLLOW_SYMLINKS",
        "false",
        "Enter links to folders below FILE, and take files that links lead to outside of it: "
        "whatever they lead to is uploaded.",
        is_flag=True,
        in_form=False,
    ),
    Setting(
        "upload_via",
        "UPLOAD_VIA",
        "frontend",
        "How files are uploaded: through the Kiosk's frontend, or straight to STORAGE_BUCKET.",
        choices=("frontend", "bucket"),
    ),
    Setting(
        "download_results",
        "DOWNLOAD_RESULTS",
        "",
        "Download what each job made into OUTPUT_DIR.",
        derived="true in upload mode, else false",
        is_flag=True,
    ),
    Setting(
        "no_download_results",
        "",
        "false",
        "Download nothing, as DOWNLOAD_RESULTS=false does.",
        is_flag=True,
    ),
    Setting(
        "concurrent_downloads",
        "CONCURRENT_DOWNLOADS",
        "8",
        "Results that a process downloads at once.",
        unit="downloads",
        in_form=False,
    ),
    Setting(
        "download_hosts",
        "DOWNLOAD_HOSTS",
        "",
        "Hosts, with commas, that results may come from although they are nearer to this machine "
        "than the Kiosk: private addresses while the Kiosk is public.",
        derived="none",
        in_form=False,
    ),
)
