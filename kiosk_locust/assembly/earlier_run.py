"""An earlier run of the same kind, and what it tells of the poll interval of the one to come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kiosk_locust.errors import LedgerError
from kiosk_locust.ledger import queries
from kiosk_locust.ledger.connections import FACTS_S
from kiosk_locust.ledger.reader import opened
from kiosk_locust.ledger.validate import ODD
from kiosk_locust.measurement.percentiles import Percentiles
from kiosk_locust.measurement.poll_resolution import polling
from kiosk_locust.model import definitions
from kiosk_locust.model.options import Options

#: So many of the newest ledgers of a folder are looked at.
MOST_LEDGERS = 10
#: What a ledger keeps for pages is some 40 KB; a fact that is larger than this is left alone.
LONGEST_FACT = 1_000_000
_FACTS = ("options", "page", "run_name", definitions.KEY)


def advice(options: Options, now: Path | None = None) -> str:
    """How far UPDATE_INTERVAL would blur this run, by the newest run of its kind; else empty.

    Only ledgers in OUTPUT_DIR are looked at, of the same job type, file, workload and kind of
    Kiosk, and of those only what their end kept; ``now`` is the ledger of this run.
    """
    for path in _newest(options.output_dir, now):
        with contextlib.suppress(LedgerError, *ODD):
            facts = _facts(path)
            if _is_alike(json.loads(facts["options"]), options):
                return _advice(facts, options)
    return ""


def _newest(folder: Path, now: Path | None) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        found = [path for path in folder.glob("*.db") if path != now]
        found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        yield from found[:MOST_LEDGERS]


def _facts(path: Path) -> dict[str, str]:
    with opened(path, FACTS_S) as db:
        return queries.short_facts(db, _FACTS, LONGEST_FACT)


def _is_alike(before: Mapping[str, Any], options: Options) -> bool:
    names = ("job_type", "file", "workload")
    is_same_kind = (before.get("host") is None) == (options.host is None)
    return is_same_kind and all(before.get(name) == getattr(options, name) for name in names)


def _advice(facts: Mapping[str, str], options: Options) -> str:
    """The earlier run's errors, as they would be with this run's interval."""
    if definitions.of_text(facts.get(definitions.KEY)) != definitions.VERSION:
        return ""
    summary = json.loads(facts["page"])["told"]["summary"]
    before, times_s = summary["polling"], summary["percentiles_s"]
    stretch = options.update_interval_s / before["interval_s"]
    error_s, waited_s = before["error_s"], _typical(times_s["detection"])
    found = polling(
        options.update_interval_s,
        int(before["bounded"]),
        median_s=_typical(times_s["duration"]),
        error_s=None if error_s is None else error_s * stretch,
        waited_s=None if waited_s is None or options.workload == "open" else waited_s * stretch,
        is_few=times_s["duration_error"]["p95"] is None,
    )
    return f"by {facts['run_name']}, {found.note}" if found.note else ""


def _typical(times_s: Mapping[str, Any]) -> float | None:
    """See `percentiles.Percentiles.typical`, of what a ledger keeps."""
    return Percentiles(**times_s).typical
