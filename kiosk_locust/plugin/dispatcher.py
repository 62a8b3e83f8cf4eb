"""Users come ahead of the schedule, so that Locust's spawner never makes a job late."""

from __future__ import annotations

from typing import Any

from locust import User
from locust.dispatch import UsersDispatcher

#: Users are spawned back to back; by then all of them are there (measured: 20 to 60 µs each).
LEAD_S = 0.5
LEAD_PER_USER_S = 0.0002


def lead_s(users: int) -> float:
    """Seconds from the start of a test to time zero, from which due times count."""
    return LEAD_S + users * LEAD_PER_USER_S


class AtOnceDispatcher(UsersDispatcher):
    """Spawns all users in one burst; the spawn rate is the rate of jobs, not of users.

    Locust's own dispatcher spawns up to 1 s early or 40 ms late, and in clumps.
    """

    def new_dispatch(
        self,
        target_user_count: int,
        spawn_rate: float,  # noqa: ARG002  it sets the schedule of the jobs instead
        user_classes: list[type[User]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Begin to spawn or stop users until there are ``target_user_count``."""
        at_once = max(1, target_user_count, self.get_current_user_count())
        super().new_dispatch(target_user_count, at_once, user_classes, **kwargs)
