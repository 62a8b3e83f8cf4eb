"""JSON that is written fast, as Python's own reader reads it, and the other way round."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.formatting.json_text import dumps, loads

#: Halves of surrogate pairs are strings that UTF-8 lacks; a Kiosk may cut one off.
texts = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children) | st.dictionaries(texts, children),
)


@given(values)
def test_what_is_written_python_reads_as_it_was(value: object) -> None:
    assert json.loads(dumps(value)) == value


@given(values)
def test_what_python_wrote_is_read_as_it_was(value: object) -> None:
    assert loads(json.dumps(value)) == value


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1"):
        loads("{'a': 1}")


def test_what_json_lacks_is_never_written() -> None:
    assert dumps([math.inf, math.nan]) == b"[null,null]"
