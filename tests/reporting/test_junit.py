from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.measurement.estimates import MeasuredFigure
from kiosk_locust.reporting.junit import check_replaceable, write
from kiosk_locust.verdict.threshold_parser import parse
from kiosk_locust.verdict.thresholds import evaluate
from tests.helpers.layered import mistakes

#: What Jenkins' junit-10.xsd says of the elements used here: attributes, which of them are
#: needed, children.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp"},
        {"name", "tests", "failures", "errors"},
        {"testcase"},
    ),
    "testcase": (
        {"name", "time", "classname"},
        {"name"},
        {"error", "failure", "system-out"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")

THRESHOLDS = [parse(t) for t in ("job.p95 < 60s", "failed < 1%", "cost.total < 1")]
ROWS = evaluate(THRESHOLDS, {"job.p95": MeasuredFigure(50.0), "failed": MeasuredFigure(0.5)})


def check(element: ET.Element) -> None:
    allowed, needed, children = SCHEMA[element.tag]
    assert needed <= set(element.attrib) <= allowed
    for child in element:
        assert child.tag in children
        check(child)


def test_the_document_conforms_to_the_schema_of_jenkins() -> None:
    root = ET.fromstring(write(ROWS, name="r", reasons=["late"], started_at=1e9, took_s=1234.5))
    check(root)
    (suite,) = root
    assert TIME.fullmatch(suite.attrib["time"])
    assert suite.attrib["timestamp"] == "2001-09-09T01:46:40"


def test_a_miss_is_a_failure_and_what_was_not_measured_an_error() -> None:
    (suite,) = ET.fromstring(write(ROWS, name="r"))
    cases = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    assert cases == {
        "job.p95 < 60s": ["system-out"],
        "failed < 1%": ["failure"],
        "cost.total < 1": ["error"],
        "the run is valid": [],
    }
    counted = [suite.attrib[name] for name in ("tests", "failures", "errors")]
    assert counted == ["4", "1", "1"]


def test_wanted_and_measured_stand_in_the_message() -> None:
    failure = ET.fromstring(write(ROWS, name="r")).find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "wanted < 1%, measured 50%"


def test_an_invalid_run_is_an_error_with_its_reasons() -> None:
    error = ET.fromstring(write([], name="r", reasons=["late", "lost"])).find(".//error")
    assert error is not None
    assert error.text == "late\nlost"


@given(st.text("a<&>\"'\x00\x1b\ud800\uffff\U0001f600]", max_size=40))
def test_any_text_makes_a_document_that_can_be_read(text: str) -> None:
    root = ET.fromstring(write([], name=text, reasons=[text]))
    assert root.tag == "testsuites"


@pytest.mark.parametrize(
    "text",
    [
        write(ROWS, name="a run"),
        "",
        "\n",
        '\ufeff<?xml version="1.0"?>\n<!-- by\n a tool --><testsuite name="x"/>',
        "<testsuites>\n</testsuites>",
    ],
)
def test_a_junit_file_may_be_replaced(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "junit.xml").write_text(text, encoding="utf-8")
    check_replaceable(path)


@pytest.mark.parametrize(
    "text",
    ["#!/bin/sh\n", "<html><testsuites/></html>", '{"a": 1}', "<testsuitesx/>", "x<testsuites/>"],
)
def test_no_other_file_is_replaced(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "junit.xml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="is no JUnit XML, so that it is not overwritten"):
        check_replaceable(path)
    (mistake,) = mistakes(cli={"--junit-xml": str(path)})
    assert mistake.startswith(f"--junit-xml = '{path}': the file is there already")
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_is_not_there_may_be_made(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "junit.xml")
