"""A run that is wanted, as whoever starts it says: `RunRequest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiosk_locust.assembly.resume import Resumption
from kiosk_locust.cost.credentials import Secrets
from kiosk_locust.model.file_remarks import Tally
from kiosk_locust.model.options import Options
from kiosk_locust.model.record import JobRequest
from kiosk_locust.model.user_mix import Mix


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run to build.

    ``first_jobs`` are what each user class would submit first, ``mix`` has the user classes that
    share the tickets, ``secrets`` are for asking what the run cost, and ``tally`` counts the files
    that a new run is made of. ``resumed`` is the interrupted run to go on with, in whose ledger
    everything goes. ``is_ended`` tells if somebody ends it before it is on; ``may_be_resumed``
    says that somebody counts on going on with it elsewhere.
    """

    options: Options
    first_jobs: Sequence[JobRequest]
    mix: Mix
    secrets: Secrets
    tally: Tally
    resumed: Resumption | None
    is_ended: Callable[[], bool]
    may_be_resumed: bool
