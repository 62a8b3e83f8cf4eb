"""Settings of uploads and downloads."""

from __future__ import annotations

from kiosk_locust.config import parsers
from kiosk_locust.config.parsers import Choice, optional
from kiosk_locust.config.table.setting import Resume, Setting
from kiosk_locust.model.input_file import Checks

SETTINGS = (
    Setting(
        "mode",
        "benchmark",
        "benchmark: COUNT jobs on one FILE; upload: a job for every image and ZIP that FILE, a "
        "local file or folder, is or holds.",
        field="transfers.mode",
        parse=Choice("benchmark", "upload"),
        resume=Resume.PLAN,
    ),
    Setting(
        "upload",
        "false",
        "In benchmark mode, have each job upload FILE, a local file, before it is submitted.",
        is_flag=True,
        field="transfers.upload",
        parse=parsers.boolean,
        resume=Resume.PLAN,
    ),
    Setting(
        "input_checks",
        "lenient",
        "How much files are looked at before they are uploaded: strict skips what the Kiosk may "
        "fail on, lenient skips what it surely fails on and says the rest, none opens no file and "
        "goes by names and sizes.",
        in_form=False,
        field="transfers.input_checks",
        parse=Choice(*(checks.value for checks in Checks)),
    ),
    Setting(
        "follow_symlinks",
        "false",
        "Enter links to folders below FILE, and take files that links lead to outside of it: "
        "whatever they lead to is uploaded.",
        is_flag=True,
        in_form=False,
        field="transfers.follow_symlinks",
        parse=parsers.boolean,
    ),
    Setting(
        "upload_via",
        "frontend",
        "How files are uploaded: through the Kiosk's frontend, or straight to STORAGE_BUCKET.",
        field="transfers.upload_via",
        parse=Choice("frontend", "bucket"),
    ),
    Setting(
        "download_results",
        "",
        "Download what each job made into OUTPUT_DIR.",
        derived="true in upload mode, else false",
        is_flag=True,
        field="transfers.download",
        parse=optional(parsers.boolean),
    ),
    Setting(
        "no_download_results",
        "false",
        "Download nothing, as DOWNLOAD_RESULTS=false does.",
        env_name=None,
        is_flag=True,
        field=None,
        parse=parsers.boolean,
    ),
    Setting(
        "concurrent_downloads",
        "8",
        "Results that a process downloads at once.",
        unit="downloads",
        in_form=False,
        field="transfers.concurrent_downloads",
        parse=parsers.whole_number(1),
    ),
    Setting(
        "download_hosts",
        "",
        "Hosts, with commas, that results may come from although they are nearer to this machine "
        "than the Kiosk: private addresses while the Kiosk is public.",
        derived="none",
        in_form=False,
        field="transfers.download_hosts",
        parse=parsers.host_names,
    ),
)
