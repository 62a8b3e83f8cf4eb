"""The table of docs/reference/security-table.md has no empty cell, and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from itertools import product

from tests.helpers.real import ROOT

ROWS, COLUMNS = "ABCDEFGHI", "1234567"
_PAGE = (ROOT / "docs" / "reference" / "security-table.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def table() -> dict[str, str]:
    """The cells by row and column, such as A1."""
    lines = [line for line in _PAGE.splitlines() if line.startswith("| **")]
    found: dict[str, str] = {}
    for line in lines:
        who, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        row = who[2]
        found |= {f"{row}{column}": text for column, text in enumerate(cells, 1)}
    return found


def cells_tests() -> dict[str, list[tuple[str, str]]]:
    """File and name of the tests that stand under each cell."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in _PAGE.splitlines():
        if match := re.match(r"- \*\*((?:[A-Z]\d(?:, )?)+)\*\*: ", line):
            for cell in match[1].split(", "):
                found.setdefault(cell, []).extend(_TEST.findall(line))
    return found


@cache
def functions(file: str) -> set[str]:
    """The names of a file's functions; none where it does not exist."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_has_an_answer_in_every_column() -> None:
    cells = table()
    assert cells.keys() == {f"{row}{column}" for row, column in product(ROWS, COLUMNS)}
    assert [cell for cell, text in cells.items() if not text] == []


def test_every_answer_begins_with_no_only_or_yes() -> None:
    strange = {
        cell: text
        for cell, text in table().items()
        if not re.match(r"(no|only|yes, by design)\b", text)
    }
    assert strange == {}


def test_every_cell_has_a_test() -> None:
    tested = cells_tests()
    assert tested.keys() == table().keys()
    assert [cell for cell, tests in tested.items() if not tests] == []


def test_every_test_that_is_named_exists() -> None:
    named = {test for tests in cells_tests().values() for test in tests}
    missing = [test for test in named if test[1] not in functions(test[0])]
    assert missing == []
    assert all(name.startswith("test_") for _, name in named)
