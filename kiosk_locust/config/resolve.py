"""Reads the settings of a run from layers, and checks them."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from kiosk_locust.config import confined, parsing
from kiosk_locust.config.cost import cost
from kiosk_locust.config.files import files
from kiosk_locust.config.folders import check_file, check_folder
from kiosk_locust.config.grafana import grafana
from kiosk_locust.config.outside import outside
from kiosk_locust.config.plan import plan
from kiosk_locust.config.sources import FORM, Layers
from kiosk_locust.config.target import target
from kiosk_locust.config.transfers import is_uploading, transfers
from kiosk_locust.config.trim import trim
from kiosk_locust.config.trust import foresee, trust
from kiosk_locust.config.validation import Checker
from kiosk_locust.errors import Mistake, OptionsError
from kiosk_locust.model.file_remarks import Doubt, Skipped
from kiosk_locust.model.input_file import Kind
from kiosk_locust.model.options import CostOptions, Options, TransferOptions
from kiosk_locust.storage.inputs.recheck import Planned
from kiosk_locust.storage.inputs.scanning import Find, scan
from kiosk_locust.verdict.advice import SHORT_INTERVAL_S

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
    """Options that may have mistakes, with something harmless in place of what was wrong."""

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
    where_to_ask = grafana(check)
    kiosk = target(check, class_host, file_is_local=is_uploading(check))
    moved = transfers(check, kiosk, find, planned)
    one_each = moved.options.mode == "upload"
    files_found = len(moved.options.inputs) if one_each else None
    plan_ = plan(check, headless=headless, rng=rng, files=files_found)
    arrivals = plan_.arrivals
    model_name, model_version = check.take("model", parsing.model, ("", ""))
    log_enabled = check.take("log_enabled", parsing.boolean, otherwise=True)
    output_dir = check.take("output_dir", _checked(check_folder), Path())
    drafted = Options(
        host=kiosk.host,
        simulate=kiosk.simulate,
        file=moved.file,
        count=plan_.count,
        users=plan_.users,
        job_type=check.take("job_type", parsing.name, ""),
        model_name=model_name,
        model_version=model_version,
        scale=check.take("scale", parsing.scale, ""),
        label=check.take("label", parsing.plain, ""),
        preprocess=check.take("preprocess", parsing.plain, ""),
        postprocess=check.take("postprocess", parsing.plain, ""),
        dimension_order=check.take("dimension_order", parsing.dimension_order, ""),
        channels=check.take("channels", parsing.channels, ""),
        segmentation_type=check.take("segmentation_type", parsing.segmentation_type, ""),
        upload_prefix=check.take("upload_prefix", parsing.upload_prefix, ""),
        update_interval_s=_update_interval_s(check, simulated=kiosk.host is None),
        poll_backoff=check.take("poll_backoff", parsing.share, 0.0),
        start_delay_s=arrivals.start_delay_s,
        arrival=arrivals.kind,
        arrival_seed=arrivals.seed,
        arrival_trace=check.layers.text("arrival_trace"),
        arrival_offsets_s=arrivals.offsets_s,
        ramp=arrivals.ramp,
        workload=plan_.workload,
        num_cycles=plan_.num_cycles,
        cycle_interval_s=check.take("cycle_interval", parsing.seconds, 0.0),
        refresh_s=check.take("manager_refresh_rate", parsing.seconds_above_0, 1.0),
        expire_s=check.take("expire_time", parsing.whole_seconds, 0),
        pool_size=check.take("concurrent_requests_per_host", parsing.whole(1), 1),
        request_timeout_s=check.take("request_timeout", parsing.seconds_above_0, 1.0),
        retry_budget_s=check.take("retry_budget", parsing.seconds, 0.0),
        job_timeout_s=check.take("job_timeout", parsing.seconds_or_none, None),
        stop_timeout_s=check.take("stop_timeout", parsing.seconds, 0.0),
        drain_timeout_s=check.take("drain_timeout", parsing.seconds, 0.0),
        worker_wait_s=check.take("worker_wait", parsing.seconds, 0.0),
        run_time_s=plan_.run_time_s,
        on_ambiguous=cast(
            'Literal["resubmit", "close"]',
            check.take("on_ambiguous", parsing.choice("resubmit", "close"), "close"),
        ),
        num_gpus=check.take("num_gpus", parsing.whole(0), 0),
        files=files(check, simulated=kiosk.host is None, output_dir=output_dir),
        transfers=moved.options,
        output_dir=output_dir,
        run_name=check.take_if_given("run_name", parsing.run_name) or "",
        log_enabled=log_enabled,
        log_level=check.take("log_level", _log_level, "INFO"),
        log_file=check.take(
            "log_file", _checked(check_file) if log_enabled else parsing.path, Path()
        ),
        trim=trim(check, plan_.count),
        cost=_with_images(cost(check), moved.options),
        grafana=where_to_ask,
        trust=trust(check),
        outside=outside(check),
        require_idle=cast(
            'Literal["warn", "refuse", "wait"]',
            check.take("require_idle", parsing.choice("warn", "refuse", "wait"), "warn"),
        ),
    )
    knows_costs = kiosk.host is None or bool(where_to_ask.host or where_to_ask.prometheus_url)
    foresee(
        check,
        drafted.trust,
        plan_.count * plan_.num_cycles,
        knows_costs=knows_costs or bool(layers.signs),  # in a cluster, its Grafana is found
    )
    _check_resuming(check)
    check.take_if_given("form_files", confined.folders)
    _note_emptied_fields(check)
    return Draft(
        drafted,
        tuple(check.notices),
        check.sources,
        moved.skipped,
        moved.doubts,
        tuple(check.mistakes),
    )


_log_level = parsing.choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _update_interval_s(check: Checker, *, simulated: bool) -> float:
    """The poll interval; a simulated Kiosk of our own may be asked each second."""
    wanted_s = check.take("update_interval", parsing.seconds_above_0, 1.0)
    given = check.layers.get("update_interval")
    is_left_open = simulated and given is None
    if given is not None and wanted_s < LEAST_INTERVAL_S:
        check.notice(
            f"{given.shown}: polls so close are not answered before the next one is due, and the"
            f" run's durations may be INVALID for it; {SHORT_INTERVAL_S:g} s or more is better"
        )
    return SIMULATED_UPDATE_INTERVAL_S if is_left_open else wanted_s


def _checked(can_be_written: Callable[[Path], None]) -> Callable[[str], Path]:
    def parse(text: str) -> Path:
        path = parsing.path(text)
        can_be_written(path)
        return path

    return parse


def _with_images(costs: CostOptions, moved: TransferOptions) -> CostOptions:
    """Where every job uploads the same ZIP, IMAGES_PER_JOB is what is in it, unless it is given."""
    if costs.images_per_job is not None or moved.mode == "upload" or not moved.inputs:
        return costs
    (file,) = moved.inputs
    if file.kind is not Kind.ZIP or not file.images:
        return costs
    return dataclasses.replace(costs, images_per_job=file.images)


def _check_resuming(check: Checker) -> None:
    """Which run to go on with is no option of the run, but may be a mistake all the same."""
    check.take_if_given("resume", parsing.ledger)
    check.take_if_given("resume_or_start", parsing.run_name)
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
