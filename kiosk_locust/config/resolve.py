"""Resolution of a run's settings from layers, with validation."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk_locust.config.folders import check_file, check_folder
from kiosk_locust.config.plan import plan
from kiosk_locust.config.sources import FORM, Layers
from kiosk_locust.config.table import SETTINGS, Setting
from kiosk_locust.config.target import target
from kiosk_locust.config.transfers import is_uploading, transfers
from kiosk_locust.config.trust import wanted_thresholds, warn_early
from kiosk_locust.config.validation import Checker
from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.measurement import warmup
from kiosk_locust.model.file_remarks import Doubt, Skipped
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.options import Options, from_json
from kiosk_locust.storage.inputs.recheck import PlannedFiles
from kiosk_locust.storage.inputs.scanning import Find, scan
from kiosk_locust.verdict.advice import SHORT_INTERVAL_S

#: Bucket of the simulated Kiosk, a folder in OUTPUT_DIR.
SIMULATED_BUCKET = "simulated_bucket"
#: Default UPDATE_INTERVAL of a run that starts its own simulated Kiosk.
SIMULATED_UPDATE_INTERVAL_S = 1.0
#: Shorter poll intervals (s) cause a notice.
LEAST_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True)
class Resolved:
    """Options, notices for the user, and the source of each setting."""

    options: Options
    notices: tuple[str, ...]
    sources: Mapping[str, str]
    skipped: tuple[Skipped, ...] = ()  # files below FILE that make no job
    doubts: tuple[Doubt, ...] = ()  # files that make a job though the Kiosk may fail on them


@dataclass(frozen=True, slots=True)
class Draft(Resolved):
    """Options that may have mistakes, with defaults in place of invalid values."""

    mistakes: tuple[Mistake, ...] = ()


def resolve(
    layers: Layers,
    *,
    class_host: str | None = None,
    headless: bool,
    rng: random.Random,
    planned: PlannedFiles | None = None,
    find: Find = scan,
) -> Resolved:
    """Resolve options from the settings in ``layers``.

    Args:
        layers: The settings.
        class_host: The ``host`` of the user class.
        headless: No form is filled in before the run.
        rng: Draws the seed of random arrivals if none is set.
        planned: The files of an existing plan.
        find: Finds files if there is no plan yet.

    Raises:
        OptionsError: It lists all mistakes.

    """
    drafted = draft(
        layers, class_host=class_host, headless=headless, rng=rng, planned=planned, find=find
    )
    if drafted.mistakes:
        raise OptionsError(list(drafted.mistakes))
    return drafted


def draft(
    layers: Layers,
    *,
    class_host: str | None = None,
    headless: bool,
    rng: random.Random,
    planned: PlannedFiles | None = None,
    find: Find = scan,
) -> Draft:
    """Like `resolve`, but return mistakes: the start form may still correct them."""
    check = Checker(layers)
    kiosk = target(check, class_host, file_is_local=is_uploading(check))
    transfer_fields = transfers(check, kiosk, find, planned)
    is_job_per_file = check.take("mode") == "upload"
    files_found = len(transfer_fields.inputs) if is_job_per_file else None
    jobs = plan(check, headless=headless, rng=rng, files=files_found)
    simulated = kiosk.host is None
    fields: dict[str, Any] = {
        "host": kiosk.host,
        "file": transfer_fields.file,
        **jobs,
        "arrival_trace": check.layers.text("arrival_trace"),
        "update_interval_s": _update_interval_s(check, simulated=simulated),
        **transfer_fields.fields,
        **_files(check, simulated=simulated),
        "cost.images_per_job": _images_per_job(
            check, () if is_job_per_file else transfer_fields.inputs
        ),
        "trust.wanted": wanted_thresholds(check),
    }
    options = _options(check, fields)
    check.check("output_dir", check_folder)
    if options.log_enabled:
        check.check("log_file", check_file)
    _check_trim(check, options)
    knows_costs = simulated or bool(options.grafana.host or options.grafana.prometheus_url)
    warn_early(
        check,
        options.trust,
        options.count * options.num_cycles,
        knows_costs=knows_costs or bool(layers.signs),  # in a cluster, its Grafana is discovered
    )
    _check_resuming(check)
    _note_emptied_fields(check)
    return Draft(
        options,
        tuple(check.notices),
        check.sources,
        transfer_fields.skipped,
        transfer_fields.doubts,
        tuple(check.mistakes),
    )


def _options(check: Checker, fields: Mapping[str, Any]) -> Options:
    """Options from ``fields`` and, for all others, from the settings that are declared for them."""
    tree: dict[str, Any] = {}
    for setting in SETTINGS.values():
        if fields.keys().isdisjoint(setting.fields):
            put(tree, setting, check.take(setting.name))
    for place, value in fields.items():
        _put(tree, place, value)
    return from_json(Options, tree)


def options_of_worker(stored: dict[str, Any]) -> Options:
    """Options that a master stored, with defaults for those that only the master needs."""
    stored["arrival_offsets_s"] = ()
    for setting in SETTINGS.values():
        if not setting.for_workers:
            put(stored, setting, setting.parse(setting.default))
    return from_json(Options, stored)


def put(tree: dict[str, Any], setting: Setting, value: Any) -> None:
    """Put a setting's value into its fields in ``tree``, options in the form of JSON."""
    values = value if setting.also else (value,)
    for place, part in zip(setting.fields, values, strict=False):
        _put(tree, place, part)


def _put(tree: dict[str, Any], place: str, value: Any) -> None:
    group, _, subfield = place.partition(".")
    if subfield:
        _put(tree.setdefault(group, {}), subfield, value)
    else:
        tree[group] = value


def _files(check: Checker, *, simulated: bool) -> Mapping[str, Any]:
    """Bucket and uploads to it; a simulated run has its own bucket, without checkpoints."""
    bucket, checkpoint_s = check.take("storage_bucket"), check.take("checkpoint")
    if simulated:
        if entry := check.layers.get("storage_bucket"):
            check.notice(f"{entry.shown} is left alone: these jobs are simulated")
        folder: Path = check.take("output_dir")
        bucket, checkpoint_s = (folder.absolute() / SIMULATED_BUCKET).as_uri(), 0.0
    return {
        "files.storage_bucket": bucket,
        "files.upload_results": check.take("upload_results")
        and not check.take("no_upload_results"),
        "files.checkpoint_s": checkpoint_s,
    }


def _update_interval_s(check: Checker, *, simulated: bool) -> float:
    """Poll interval in seconds; 1 s by default with an own simulated Kiosk."""
    interval_s: float = check.take("update_interval")
    entry = check.layers.get("update_interval")
    if entry is not None and interval_s < LEAST_INTERVAL_S:
        check.notice(
            f"{entry.shown}: polls so close are not answered before the next one is due, and the"
            f" run's durations may be INVALID for it; {SHORT_INTERVAL_S:g} s or more is better"
        )
    return SIMULATED_UPDATE_INTERVAL_S if simulated and entry is None else interval_s


def _images_per_job(check: Checker, inputs: tuple[InputFile, ...]) -> int | None:
    """IMAGES_PER_JOB, or the number of images in the ZIP that every job uploads."""
    images: int | None = check.take("images_per_job")
    if images is None and inputs and inputs[0].kind is Kind.ZIP:
        return inputs[0].images or None
    return images


def _check_trim(check: Checker, options: Options) -> None:
    """Note a mistake if warm-up and cool-down leave no job, as far as this is known now."""
    trim = options.trim
    excluded_jobs = warmup.parse(trim.warmup).jobs + warmup.parse(trim.cooldown).jobs
    if options.count and excluded_jobs >= options.count:
        check.refuse(
            check.layers.get("warmup") or check.layers.get("cooldown"),
            f"warm-up and cool-down leave out {excluded_jobs:,} jobs, and a cycle has"
            f" {options.count:,}: none would be left to measure. Leave out fewer, or raise COUNT",
        )


def _check_resuming(check: Checker) -> None:
    """Note a mistake if both settings that name a run to resume are set."""
    resume, or_start = check.layers.get("resume"), check.layers.get("resume_or_start")
    if resume and or_start and not check.failed & {"resume", "resume_or_start"}:
        check.refuse(or_start, f"contradicts {resume.shown}; give only one of them")


def _note_emptied_fields(check: Checker) -> None:
    """Add a notice where a field of the form was emptied, but a lower source sets it."""
    for layer in check.layers.layers:
        if layer.place != FORM:
            continue
        for name, empty_entry in layer.values.items():
            if layer.get(name) is None and (entry := check.layers.get(name)) is not None:
                check.notice(f"{empty_entry.source} is empty, so {entry.shown} counts")
