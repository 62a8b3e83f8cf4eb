"""``python -m kiosk_locust COMMAND``: look at a run that is over, or tidy up after it."""

from __future__ import annotations

import sys

from kiosk_locust import expire, report
from kiosk_locust.web import view

COMMANDS = {"view": view.main, "report": report.main, "expire": expire.main}
USAGE = """usage: python -m kiosk_locust COMMAND PATH

  view PATH      show the page of a run in a browser, from its ledger or results file
  report PATH    write its report, one HTML file, again
  expire LEDGER  let the Kiosk forget the jobs that an interrupted run left there
"""

if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    if command not in COMMANDS:
        sys.stderr.write(USAGE)
        sys.exit(2)
    sys.exit(COMMANDS[command](arguments))
