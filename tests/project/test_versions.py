"""The program that tries other versions: which tests it takes."""

from __future__ import annotations

import runpy

from tests.helpers.real import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "versions.py"))


def test_the_quick_choice_has_tests_that_start_nothing_and_a_few_that_do() -> None:
    quick = SCRIPT["quick"]()
    assert {"tests/formatting/test_units.py", "tests/model/test_arrivals.py"} <= set(quick)
    assert not {
        "tests/assembly/test_embedded_simulator.py",
        "tests/project/test_package.py",
        *SCRIPT["REAL"],
    } & set(quick)
    assert all((ROOT / name).is_file() for name in SCRIPT["REAL"])
