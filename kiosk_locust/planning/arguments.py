"""Command line of ``simulate``: each option declared once, all mistakes reported together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from kiosk_locust.config import parsers
from kiosk_locust.cost.price_file import read_price_file
from kiosk_locust.cost.prices import PriceBook
from kiosk_locust.errors import Mistake, OptionsError, PriceFileError
from kiosk_locust.planning.plan import ZIP_CONSUMERS_PER_GPU, ForecastPlan, stage_s, with_gpu_rate
from kiosk_locust.simulator.settings import ClusterSettings, flag

PROG = "python -m kiosk_locust simulate"
DESCRIPTION = (
    "What a benchmark would take and cost: the simulated cluster in virtual time, so that hours "
    "take seconds. Several values of --gpus or --images print a grid. The defaults are those of "
    "the Kiosk paper's benchmark."
)
EPILOG = (
    "The paper's grid: --gpus 1 4 8 --images 10000 100000 1000000. Durations are medians of "
    "log-normal distributions. Where each default comes from stands in "
    "docs/explanation/paper-model.md."
)
#: Values of a real cluster; the simulated Kiosk's defaults suit rehearsals of half a minute.
SLOWER = {"min_nodes": 0, "autoscale_interval_s": 15.0, "node_startup_s": 300.0}
SLOWER |= {"scale_down_delay_s": 600.0, "seed": 1}
#: Settings of the model without an option here: they concern clients only, or are derived.
_NOT_OFFERED = {
    "job_types", "models", "model_prefix", "bucket_url", "output_bytes", "images_per_zip",
    "stage_times", "child_expire_s", "lost_timings_rate", "finished_at_missing_rate", "vanish_rate",
    "vanish_after_s", "max_nodes", "frontend_skew_s", "consumer_skew_s", "zip_consumers",
    "upload_clock_s", "zip_stuck_rate", "upload_mb_per_s", "uniform_access",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """Parsed command line: plans in the grid's order, prices, output format."""

    plans: tuple[ForecastPlan, ...]
    book: PriceBook
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Option:
    """One option; ``parse`` raises ValueError with advice."""

    name: str
    default: str
    unit: str
    text: str
    parse: Callable[[str], Any]
    group: str = "Benchmark"
    several: bool = False

    @property
    def flag(self) -> str:
        return flag(self.name)


_at_least_1 = parsers.whole_number(1)
_OWN = (
    _Option("gpus", "8", "N", "GPU nodes at most, one GPU each; may be several", _at_least_1,
            several=True),
    _Option("images", "1000000", "N", "images in all; may be several", _at_least_1, several=True),
    _Option("job_kind", "zip", "zip|image", "what a job is", parsers.Choice("zip", "image")),
    _Option("images_per_job", "100", "N", "images in each ZIP", _at_least_1),
    _Option("start_delay", "0.5", "SECONDS", "between two submissions, as START_DELAY; 0: all at "
            "once", parsers.seconds),
    _Option("gpu_rate", "", "IMAGES/S", "images a second of a GPU node that is never idle: makes "
            "all stages shorter or longer (6.95 by the stages below)",
            partial(parsers.number, unit="images a second", above=True, at_most=1e6)),
    _Option("zip_consumers", "", "N", "ZIPs unpacked at once (100 for each GPU)", _at_least_1),
    _Option("prices", "", "FILE", "a price file, which wins over the package's tables", Path,
            group="Cost"),
    _Option("consumer_nodes", "8", "N", "CPU nodes beside each GPU node, for its time: consumers "
            "run there", parsers.whole_number(0), group="Cost"),
    _Option("consumer_machine_type", "n1-standard-8", "NAME", "their machine type", parsers.name,
            group="Cost"),
    _Option("consumer_spot", "yes", "yes|no", "whether they are spot nodes", parsers.boolean,
            group="Cost"),
    _Option("zones", "2", "N", "zones that the nodes are in: traffic between them is paid for",
            _at_least_1, group="Cost"),
    _Option("network", "yes", "yes|no", "whether the bucket and that traffic count",
            parsers.boolean, group="Cost"),
)  # fmt: skip


def read(words: Sequence[str]) -> ForecastRequest:
    """Parse the command line.

    Raises:
        OptionsError: It lists every mistake.

    """
    texts = vars(_parser().parse_args(list(words)))
    mistakes: list[Mistake] = []
    values = {option.name: _value(option, texts[option.name], mistakes) for option in _options()}
    book = _book(values["prices"], mistakes)
    plans = _plans(values, mistakes) if not mistakes else []
    if mistakes:
        raise OptionsError(mistakes)
    return ForecastRequest(tuple(plans), book, texts["json"])


def _options() -> list[_Option]:
    """All options: the forecast's own, and the model's settings that apply to it."""
    offered = [field for field in fields(ClusterSettings) if field.name not in _NOT_OFFERED]
    return [*_OWN, *(_of_model(field.name, field.default, field.metadata) for field in offered)]


def _of_model(name: str, default: Any, metadata: Any) -> _Option:
    default = SLOWER.get(name, default)
    parse: Callable[[str], Any] = parsers.plain
    unit = "NAME"
    if isinstance(default, bool):
        parse, unit = parsers.boolean, "yes|no"
        default = "yes" if default else "no"
    elif isinstance(default, int):
        parse, unit = parsers.whole_number(0), "N"
    elif name.endswith("_rate"):
        parse, unit = parsers.share, "SHARE"
    elif isinstance(default, float):
        parse, unit = (parsers.seconds, "SECONDS") if name.endswith("_s") else (_plain, "X")
    return _Option(name, str(default), unit, metadata["help"], parse, metadata["group"])


def _plain(text: str) -> float:
    try:
        return parsers.number(text, unit="", at_most=5.0)
    except ValueError:
        raise ValueError("must be a number from 0 to 5, such as 0.3") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROG, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    groups: dict[str, Any] = {}
    for option in _options():
        group = groups.get(option.group) or groups.setdefault(
            option.group, parser.add_argument_group(option.group)
        )
        help_text = f"{option.text} ({option.default})" if option.default else option.text
        group.add_argument(
            option.flag, metavar=option.unit, help=help_text.replace("%", "%%"),
            default=[option.default] if option.several else option.default,
            **({"nargs": "+"} if option.several else {}),
        )  # fmt: skip
    return parser


def _value(option: _Option, words: Any, mistakes: list[Mistake]) -> Any:
    """One value, or a list if several are allowed; None after a mistake or for none."""
    values = []
    for text in words if option.several else [words]:
        try:
            values.append(option.parse(text) if text != "" or option.default else None)
        except ValueError as error:
            mistakes.append(Mistake(option.flag, text, str(error)))
    return values if option.several else next(iter(values), None)


def _book(path: Path | None, mistakes: list[Mistake]) -> PriceBook:
    try:
        return PriceBook.of(read_price_file(path) if path else None)
    except PriceFileError as error:
        mistakes += [Mistake("--prices", str(path), problem) for problem in error.mistakes]
        return PriceBook.of()


def _plans(values: dict[str, Any], mistakes: list[Mistake]) -> list[ForecastPlan]:
    zips = values["job_kind"] == "zip"
    per_job = values["images_per_job"] if zips else 1
    for images in values["images"]:
        if images % per_job:
            advice = f"must be a multiple of --images-per-job ({per_job:,}), such as " + (
                f"{per_job * max(1, round(images / per_job)):,}".replace(",", "")
            )
            mistakes.append(Mistake("--images", str(images), advice))
    plans: list[ForecastPlan] = []
    for gpus in dict.fromkeys(values["gpus"]):
        cluster = _cluster(values, gpus, per_job, mistakes)
        if cluster is not None:
            plans += [
                ForecastPlan(
                    images=images,
                    images_per_job=per_job,
                    zips=zips,
                    start_delay_s=values["start_delay"],
                    consumer_nodes=values["consumer_nodes"],
                    consumer_machine_type=values["consumer_machine_type"],
                    consumer_spot=values["consumer_spot"],
                    zones=values["zones"],
                    network=values["network"],
                    cluster=cluster,
                )
                for images in dict.fromkeys(values["images"])
            ]
    return plans


def _cluster(
    values: dict[str, Any], gpus: int, per_job: int, mistakes: list[Mistake]
) -> ClusterSettings | None:
    values_of_model = {
        setting.name: values[setting.name]
        for setting in fields(ClusterSettings)
        if setting.name in values
    }
    values_of_model |= {"max_nodes": gpus, "images_per_zip": per_job}
    values_of_model["zip_consumers"] = values["zip_consumers"] or ZIP_CONSUMERS_PER_GPU * gpus
    try:
        cluster = ClusterSettings(**values_of_model)
        if values["gpu_rate"]:
            cluster = _with_rate(cluster, values["gpu_rate"])
    except OptionsError as error:
        mistakes += [
            Mistake(
                "--gpus" if mistake.source == "--max-nodes" else mistake.source,
                mistake.value,
                mistake.advice,
            )
            for mistake in error.mistakes
            if mistake not in mistakes
        ]
        return None
    return cluster


def _with_rate(cluster: ClusterSettings, images_per_s: float) -> ClusterSettings:
    if not stage_s(cluster):
        advice = "needs stages that take some time; give --predict-s, say"
        raise OptionsError([Mistake("--gpu-rate", f"{images_per_s:g}", advice)])
    return with_gpu_rate(cluster, images_per_s)
