"""JUnit XML with thresholds and verdict, for CI systems."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from kiosk_locust.verdict.thresholds import Result, ThresholdRow

#: Characters that XML 1.0 cannot hold, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CLASS = "kiosk_locust.thresholds"
_VERDICT = "the run is valid"
#: Bytes read of an existing file: enough for its declaration and for leading comments.
_HEAD_BYTES = 8 * 1024
_JUNIT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml\b[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<testsuites?[\s/>]",
    re.DOTALL,
)


def check_replaceable(path: Path) -> None:
    """Check that ``path`` may be overwritten: no file, an empty one, or JUnit XML.

    A device or a pipe is written to and not replaced.

    Raises:
        ValueError: It is another file, or cannot be read.

    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(
            f"the file is there already, and cannot be looked at ({error.strerror}), so that it is"
            " not overwritten; name another one"
        ) from error
    if head.strip() and not _JUNIT.match(head):
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
    """JUnit document with one test case per threshold and one for the verdict.

    A missed threshold is a failure. A threshold without a measured value is an error, and so is
    each of the ``reasons`` that make the run invalid. The document follows the schema that Jenkins
    publishes (``junit-10.xsd``).

    Args:
        rows: The thresholds with their results.
        name: The run's name.
        reasons: Reasons why the run is invalid.
        started_at: The run's start, epoch seconds.
        took_s: The run's duration, seconds.

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
    comparison = f"wanted {row.wanted}, measured {row.measured}"
    if row.result is Result.PASS:
        ET.SubElement(case, "system-out").text = _clean(
            "\n".join(filter(None, (comparison, row.note)))
        )
        return
    tag = "failure" if row.result is Result.MISS else "error"
    element = ET.SubElement(case, tag, message=_clean(comparison), type=_clean(row.verdict))
    element.text = _clean(f"{row.threshold.source}: {row.note}")


def _attributes(name: str) -> dict[str, str]:
    return {"classname": _CLASS, "name": _clean(name), "time": "0"}


def _clean(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
