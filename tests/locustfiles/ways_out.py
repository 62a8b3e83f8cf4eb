"""Ways out of Locust's main that users' code makes; WAY says which."""

import os
from typing import Any

from locust import events
from locust.env import Environment

from kiosk_locust import KioskUser, attach

attach()
WAY = os.environ.get("WAY", "")


def on_init(environment: Environment, **_: Any) -> None:
    if WAY == "init raises":
        raise RuntimeError("no [/init] today")


def on_quitting(environment: Environment, **_: Any) -> None:
    if WAY.startswith("code "):
        environment.process_exit_code = int(WAY.removeprefix("code "))
    if WAY == "quitting raises":
        raise RuntimeError("the check broke")


events.init.add_listener(on_init)
events.quitting.add_listener(on_quitting)

if WAY == "import fails":
    import no_such_module  # type: ignore[import-not-found]  # noqa: F401


if WAY != "no class":

    class Kiosk(KioskUser):
        pass
