"""Reads the settings of a run from layers, and checks them."""

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
from kiosk_locust.config.trust import foresee, wanted
from kiosk_locust.config.validation import Checker
from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.measurement import warmup
from kiosk_locust.model.file_remarks import Doubt, Skipped
from kiosk_locust.model.input_file import InputFile, Kind
from kiosk_locust.model.options import Options, from_json
from kiosk_locust.storage.inputs.recheck import Planned
from kiosk_locust.storage.inputs.scanning import Find, scan
from kiosk_locust.verdict.advice import SHORT_INTERVAL_S

#: The simulated Kiosk's bucket, a folder in OUTPUT_DIR.
SIMULATED_BUCKET = "simulated_bucket"
#: UPDATE_INTERVAL of a run on the simulated Kiosk that it starts, unless the user sets one.
SIMULATED_UPDATE_INTERVAL_S = 1.0
#: Polls that are closer than this (s) draw a notice.
LEAST_INTERVAL_S = 0.02


@dataclass(frozen=True, slots=True)
class Resolved:
    """Options, the lines to tell the user, and by which name each setting was given."""

    options: Options
    notices: tuple[str, ...]
    sources: Mapping[str, str]
    skipped: tuple[Skipped, ...] = ()  # files that FILE holds, and that make no job
    doubts: tuple[Doubt, ...] = ()  # files that make one, though the Kiosk may fail on them


@dataclass(frozen=True, slots=True)
class Draft(Resolved):
    """Options that may have mistakes, with the default in place of what was wrong."""

    mistakes: tuple[Mistake, ...] = ()


def resolve(
    layers: Layers,
    *,
    class_host: str | None = None,
    headless: bool,
    rng: random.Random,
    planned: Planned | None = None,
    find: Find = scan,
) -> Resolved:
    """Make options of what was given; ``class_host`` is the ``host`` of the user class.

    ``headless`` means that no form will be filled in before the run; ``rng`` draws the seed of
    random arrivals where none is given; ``planned`` are the files of a plan that is there already,
    and ``find`` looks for them where there is none. Raises OptionsError with all mistakes.
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
    planned: Planned | None = None,
    find: Find = scan,
) -> Draft:
    """As `resolve`, but mistakes are returned: the start form may still mend them."""
    check = Checker(layers)
    kiosk = target(check, class_host, file_is_local=is_uploading(check))
    moved = transfers(check, kiosk, find, planned)
    one_each = check.take("mode") == "upload"
    files_found = len(moved.inputs) if one_each else None
    jobs = plan(check, headless=headless, rng=rng, files=files_found)
    simulated = kiosk.host is None
    fields: dict[str, Any] = {
        "host": kiosk.host,
        "file": moved.file,
        **jobs,
        "arrival_trace": check.layers.text("arrival_trace"),
        "update_interval_s": _update_interval_s(check, simulated=simulated),
        **moved.fields,
        **_files(check, simulated=simulated),
        "cost.images_per_job": _images_per_job(check, () if one_each else moved.inputs),
        "trust.wanted": wanted(check),
    }
    options = _options(check, fields)
    check.check("output_dir", check_folder)
    if options.log_enabled:
        check.check("log_file", check_file)
    _check_trim(check, options)
    knows_costs = simulated or bool(options.grafana.host or options.grafana.prometheus_url)
    foresee(
        check,
        options.trust,
        options.count * options.num_cycles,
        knows_costs=knows_costs or bool(layers.signs),  # in a cluster, its Grafana is found
    )
    _check_resuming(check)
    _note_emptied_fields(check)
    return Draft(
        options,
        tuple(check.notices),
        check.sources,
        moved.skipped,
        moved.doubts,
        tuple(check.mistakes),
    )


def _options(check: Checker, fields: Mapping[str, Any]) -> Options:
    """The options of ``fields`` and, for all others, of the settings that are declared for them."""
    tree: dict[str, Any] = {}
    for setting in SETTINGS.values():
        if fields.keys().isdisjoint(setting.fields):
            put(tree, setting, check.take(setting.name))
    for place, value in fields.items():
        _put(tree, place, value)
    return from_json(Options, tree)


def options_of_worker(stored: dict[str, Any]) -> Options:
    """The options that a master stored; what only the master needs of them has its default."""
    stored["arrival_offsets_s"] = ()
    for setting in SETTINGS.values():
        if not setting.for_workers:
            put(stored, setting, setting.parse(setting.default))
    return from_json(Options, stored)


def put(tree: dict[str, Any], setting: Setting, value: Any) -> None:
    """Put a setting's value into its fields in ``tree``, which is as JSON has options."""
    values = value if setting.also else (value,)
    for place, part in zip(setting.fields, values, strict=False):
        _put(tree, place, part)


def _put(tree: dict[str, Any], place: str, value: Any) -> None:
    group, _, rest = place.partition(".")
    if rest:
        _put(tree.setdefault(group, {}), rest, value)
    else:
        tree[group] = value


def _files(check: Checker, *, simulated: bool) -> Mapping[str, Any]:
    """The bucket and what goes to it; a simulated run has its own, which gets no checkpoint."""
    bucket, checkpoint_s = check.take("storage_bucket"), check.take("checkpoint")
    if simulated:
        if given := check.layers.get("storage_bucket"):
            check.notice(f"{given.shown} is left alone: these jobs are simulated")
        folder: Path = check.take("output_dir")
        bucket, checkpoint_s = (folder.absolute() / SIMULATED_BUCKET).as_uri(), 0.0
    return {
        "files.storage_bucket": bucket,
        "files.upload_results": check.take("upload_results")
        and not check.take("no_upload_results"),
        "files.checkpoint_s": checkpoint_s,
    }


def _update_interval_s(check: Checker, *, simulated: bool) -> float:
    """The poll interval; a simulated Kiosk of our own may be asked each second."""
    interval_s: float = check.take("update_interval")
    given = check.layers.get("update_interval")
    if given is not None and interval_s < LEAST_INTERVAL_S:
        check.notice(
            f"{given.shown}: polls so close are not answered before the next one is due, and the"
            f" run's durations may be INVALID for it; {SHORT_INTERVAL_S:g} s or more is better"
        )
    return SIMULATED_UPDATE_INTERVAL_S if simulated and given is None else interval_s


def _images_per_job(check: Checker, inputs: tuple[InputFile, ...]) -> int | None:
    """IMAGES_PER_JOB; where it is not given, what is in the ZIP that every job uploads."""
    images: int | None = check.take("images_per_job")
    if images is None and inputs and inputs[0].kind is Kind.ZIP:
        return inputs[0].images or None
    return images


def _check_trim(check: Checker, options: Options) -> None:
    """Note a mistake where warm-up and cool-down leave no job, as far as that can be told."""
    trim = options.trim
    cut = warmup.parse(trim.warmup).jobs + warmup.parse(trim.cooldown).jobs
    if options.count and cut >= options.count:
        check.refuse(
            check.layers.get("warmup") or check.layers.get("cooldown"),
            f"warm-up and cool-down leave out {cut:,} jobs, and a cycle has {options.count:,}: none"
            " would be left to measure. Leave out fewer, or raise COUNT",
        )


def _check_resuming(check: Checker) -> None:
    """Note where both settings that name a run to go on with were given."""
    resume, or_start = check.layers.get("resume"), check.layers.get("resume_or_start")
    if resume and or_start and not check.failed & {"resume", "resume_or_start"}:
        check.refuse(or_start, f"contradicts {resume.shown}; give only one of them")


def _note_emptied_fields(check: Checker) -> None:
    """An emptied field of the form sets nothing; say so where a lower source then counts."""
    for layer in check.layers.layers:
        if layer.place != FORM:
            continue
        for name, emptied in layer.values.items():
            if layer.get(name) is None and (given := check.layers.get(name)) is not None:
                check.notice(f"{emptied.source} is empty, so {given.shown} counts")
