"""A run as its master tells a worker of it, held against the limits of the worker's operator."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kiosk_locust.assembly.worker_limits import WorkerLimits
from kiosk_locust.config.resolve import options_of_worker
from kiosk_locust.errors import PreflightError
from kiosk_locust.formatting import quoting
from kiosk_locust.model.options import Options
from kiosk_locust.model.user_mix import Mix


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The part of a run that a worker may carry out."""

    options: Options
    host: str  # the Kiosk's base URL, as the master reached it
    run_name: str
    mix: Mix
    place_of_account: str  # see `send_account.keep_at_worker`; empty: none is kept


def worker_plan(
    facts: Mapping[str, str], limits: WorkerLimits, user_classes: Collection[str]
) -> WorkerPlan:
    """Read what the master tells, for a worker that has these user classes.

    Of its options, what only the master needs has its default. Whether messages quote answers is
    from then on as at the master, in all of this process. Raises PreflightError, InputError and
    BucketError, which say what to set or start otherwise at this worker.
    """
    quoting.set_on(json.loads(facts.get(quoting.FACT, "true")))
    options = limits.applied(options_of_worker(json.loads(facts["options"])), facts)
    mix = Mix.from_text(facts["user_classes"], options.arrival_seed)
    if missing := [name for name, _ in mix.parts if name not in user_classes]:
        raise PreflightError(
            f"its locustfile, or its command line, leaves out {', '.join(missing)}, which the run"
            " has jobs of: start workers with the locustfile and the classes of their master"
        )
    return WorkerPlan(
        options, facts["host"], facts["run_name"], mix, limits.place_of_account(facts)
    )
