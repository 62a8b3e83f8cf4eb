"""A Locust plugin that runs jobs against a DeepCell Kiosk exactly once and measures them.

What a locustfile needs is here, and imported when it is asked for: the simulator and programs that
read results do without Locust.

    from kiosk_locust import KioskUser, attach

    attach()

    class MyUser(KioskUser):
        ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiosk_locust import events
    from kiosk_locust.model.record import JobRequest, Record, Ticket
    from kiosk_locust.plugin.registration import attach
    from kiosk_locust.plugin.user import KioskUser

__all__ = ["JobRequest", "KioskUser", "Record", "Ticket", "__version__", "attach", "events"]
__version__ = "0.1.0"

_HOMES = {
    "JobRequest": "kiosk_locust.model.record",
    "KioskUser": "kiosk_locust.plugin.user",
    "Record": "kiosk_locust.model.record",
    "Ticket": "kiosk_locust.model.record",
    "attach": "kiosk_locust.plugin.registration",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module. Raises AttributeError for any other."""
    if name == "events":
        return import_module("kiosk_locust.events")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
