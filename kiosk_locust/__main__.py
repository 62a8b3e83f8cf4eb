"""``python -m kiosk_locust COMMAND``: what there is to do before and after a run."""

from __future__ import annotations

import sys

from kiosk_locust import check, expire, locustfiles, report, simulate, upload_results
from kiosk_locust.web import view

COMMANDS = {
    "check": check,
    "view": view,
    "report": report,
    "expire": expire,
    "simulate": simulate,
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
