"""A run called ``first`` whose results take long to write: until a file ``go`` appears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gevent import monkey

from kiosk_locust import KioskUser, attach
from kiosk_locust.reporting import results_json

attach()
write_all = results_json.write_all
sleep = monkey.get_original("time", "sleep")


def write_slowly(ledger: Path, *arguments: Any, **keywords: Any) -> Any:
    if ledger.stem == "first":
        Path("finishing").touch()
        while not Path("go").exists():
            sleep(0.02)
    return write_all(ledger, *arguments, **keywords)


results_json.write_all = write_slowly


class Kiosk(KioskUser):
    pass
