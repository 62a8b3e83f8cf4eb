"""Compares the schema of a file with those that kiosk_locust writes, before anything is read.

A view, a trigger, a generated column, a check or an index of another's making would run whenever a
ledger is read or written. SQLite keeps the text of each statement that made a table, so the texts
are compared, word by word: comments and the order of columns may differ, as they do after a table
was altered.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

#: A text in quotes, a comment, blanks, a word, or a single sign, as SQLite tells them apart. What
#: it has besides (other quotes, other comments) is in no statement of ours, and so differs.
_WORD = re.compile(r"'(?:[^']|'')*'|--[^\n]*|\s+|\w+|.", re.DOTALL)
#: Columns that a ledger of an earlier version may lack.
_LACKED_COLUMNS = frozenset(
    {("inputs", "array"), ("changes", "phase"), ("tickets", "uploaded_name")}
)
#: Indexes that earlier versions had; they stay when a run goes on with their ledger.
_EARLIER_INDEXES = ("CREATE INDEX tickets_not_closed ON tickets (id) WHERE state <> 'closed'",)
#: A ledger has some fourteen tables and indexes.
_MOST = 40
_LONGEST_NAME = 60

Row = tuple[object, object, object]  # of sqlite_master: type, name, sql


class _Table(NamedTuple):
    """A ``CREATE TABLE`` in words: its columns and constraints, and what follows them."""

    parts: frozenset[tuple[str, ...]]
    options: tuple[str, ...]


def script() -> str:
    """The SQL of today's tables."""
    return resources.files("kiosk_locust.ledger").joinpath("ledger.sql").read_text("utf-8")


def schema_of(db: sqlite3.Connection, of: str = "main") -> tuple[Row, ...]:
    """The schema of a file, as far as it is worth reading."""
    sql = f"SELECT type, name, sql FROM {of}.sqlite_master LIMIT {_MOST + 1}"  # noqa: S608  ours
    return tuple(db.execute(sql).fetchall())


def has_facts(rows: tuple[Row, ...]) -> bool:
    """Tell if the table ``meta``, which every version has, is as kiosk_locust makes it."""
    ours = [row for row in rows if row[1] == "meta"]
    return len(ours) == 1 and not _oddity(*ours[0])


@lru_cache(maxsize=64)
def oddity(rows: tuple[Row, ...], lackable: frozenset[str]) -> str:
    """Describe the first part of a schema that no ledger of ours has; empty: there is none.

    ``lackable`` are tables that a ledger of an earlier version may lack.
    """
    if len(rows) > _MOST:
        return f"it has more than {_MOST} tables and indexes"
    for row in rows:
        if fault := _oddity(*row):
            return fault
    lacking = _tables().keys() - lackable - {str(name) for _, name, _ in rows}
    return f"it lacks the table {min(lacking)}" if lacking else ""


def _oddity(kind: object, name: object, sql: object) -> str:
    shown = f"its {kind} {name!s:.{_LONGEST_NAME}}"
    if not isinstance(name, str) or not isinstance(sql, str):
        return f"{shown} is none of a ledger's"
    words = _words(sql)
    if kind == "index" and words in _indexes():
        return ""
    wanted = _tables().get(name)
    if kind != "table" or wanted is None:
        return f"{shown} is none of a ledger's"
    if words[:4] != ("CREATE", "TABLE", name, "("):
        return f"{shown} was not made by a plain CREATE TABLE"
    table = _table(words)
    if table.options != wanted.options or table.parts - wanted.parts:
        return f"{shown} has a column or a rule that no ledger has"
    lacking = {part[0] for part in wanted.parts - table.parts if (name, part[0]) not in _LACKED_COLUMNS}  # fmt: skip  # noqa: E501
    return f"{shown} lacks {min(lacking)}" if lacking else ""


def _words(sql: str) -> tuple[str, ...]:
    words = _WORD.findall(sql)
    return tuple(word for word in words if not word.isspace() and not word.startswith("--"))


def _table(words: tuple[str, ...]) -> _Table:
    """The parts of a ``CREATE TABLE``, which has a name and a bracket at its beginning."""
    parts: list[tuple[str, ...]] = []
    depth, begin = 0, 4
    for at, word in enumerate(words[3:], start=3):
        depth += (word == "(") - (word == ")")
        if depth == 0 or (depth == 1 and word == ","):
            parts.append(words[begin:at])
            begin = at + 1
        if depth == 0:
            break
    return _Table(frozenset(parts), words[begin:])


@cache
def _tables() -> dict[str, _Table]:
    return {words[2]: _table(words) for words in _statements() if words[1] == "TABLE"}


@cache
def _indexes() -> frozenset[tuple[str, ...]]:
    ours = (words for words in _statements() if words[1] == "INDEX")
    return frozenset([*ours, *map(_words, _EARLIER_INDEXES)])


def _statements() -> Iterator[tuple[str, ...]]:
    statement: list[str] = []
    for word in _words(script()):
        if word == ";":
            yield tuple(statement)
            statement = []
        else:
            statement.append(word)
