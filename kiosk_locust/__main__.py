"""``python -m kiosk_locust COMMAND``: what there is to do before and after a run."""

from __future__ import annotations

import sys

from kiosk_locust import locustfiles
from kiosk_locust.cli import check, expire, forecast, rescue, upload_results, view
from kiosk_locust.reporting import html

COMMANDS = {
    "check": check,
    "view": view,
    "report": html,
    "expire": expire,
    "rescue": rescue,
    "simulate": forecast,
    upload_results.COMMAND: upload_results,
    locustfiles.COMMAND: locustfiles,
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:] or [""]
    command = COMMANDS.get(name)
    if command is None:
        sys.stderr.write("".join(each.USAGE for each in COMMANDS.values()))
        sys.exit(2)
    sys.exit(command.main(arguments))
