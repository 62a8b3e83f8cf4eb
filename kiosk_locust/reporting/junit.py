"""Thresholds and the verdict as JUnit XML, which CI systems read."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from kiosk_locust.verdict.thresholds import Result, ThresholdRow

#: What XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CLASS = "kiosk_locust.thresholds"
_VERDICT = "the run is valid"
#: Of a file that is there: enough for its declaration, and comments as some programs write them.
_LOOKED_AT_BYTES = 8 * 1024
_JUNIT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml\b[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<testsuites?[\s/>]",
    re.DOTALL,
)


def check_replaceable(path: Path) -> None:
    """Raise ValueError where ``path`` is a file, and no JUnit file: that is never overwritten.

    One that is empty has nothing to lose; a device or a pipe is nothing that is replaced.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            beginning = file.read(_LOOKED_AT_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(
            f"the file is there already, and cannot be looked at ({error.strerror}), so that it is"
            " not overwritten; name another one"
        ) from error
    if beginning.strip() and not _JUNIT.match(beginning):
        raise ValueError(
            "the file is there already and is no JUnit XML, so that it is not overwritten; name"
            " another one, or move it away"
        )


def write(
    rows: Sequence[ThresholdRow],
    *,
    name: str,
    reasons: Iterable[str] = (),
    started_at: float = 0.0,
    took_s: float = 0.0,
) -> str:
    """A document with one test case a threshold and one for the verdict.

    A miss is a failure; what could not be measured, and each of the ``reasons`` that make the
    run invalid, is an error. ``name`` is the run's, ``started_at`` in epoch seconds. The
    document is one of the schema that Jenkins publishes (``junit-10.xsd``).
    """
    reasons = tuple(reasons)
    missed = sum(row.result is Result.MISS for row in rows)
    unknown = sum(row.result is Result.NOT_MEASURABLE for row in rows)
    counts = {
        "name": _clean(name),
        "tests": str(len(rows) + 1),
        "failures": str(missed),
        "errors": str(unknown + bool(reasons)),
        "time": f"{took_s:.3f}",
    }
    root = ET.Element("testsuites", counts)
    moment = datetime.fromtimestamp(started_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.SubElement(root, "testsuite", {**counts, "skipped": "0", "timestamp": moment})
    for row in rows:
        _add(suite, row)
    verdict = ET.SubElement(suite, "testcase", _attributes(_VERDICT))
    if reasons:
        text = _clean("\n".join(reasons))
        ET.SubElement(verdict, "error", message="INVALID", type="verdict").text = text
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _add(suite: ET.Element, row: ThresholdRow) -> None:
    case = ET.SubElement(suite, "testcase", _attributes(row.threshold.text))
    said = f"wanted {row.wanted}, measured {row.measured}"
    if row.result is Result.PASS:
        ET.SubElement(case, "system-out").text = _clean("\n".join(filter(None, (said, row.note))))
        return
    tag = "failure" if row.result is Result.MISS else "error"
    found = ET.SubElement(case, tag, message=_clean(said), type=_clean(row.verdict))
    found.text = _clean(f"{row.threshold.source}: {row.note}")


def _attributes(name: str) -> dict[str, str]:
    return {"classname": _CLASS, "name": _clean(name), "time": "0"}


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
