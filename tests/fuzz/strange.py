"""Strange texts, values and files, and how many of them are tried.

The suite tries the same few each time. More, and others each time::

    FUZZ_PROFILE=long python -m pytest tests/fuzz
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_CHECKS = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large)
settings.register_profile(
    "suite", max_examples=100, derandomize=True, deadline=None, suppress_health_check=_CHECKS
)
settings.register_profile(
    "long", max_examples=3000, deadline=None, suppress_health_check=_CHECKS, print_blob=True
)
#: Decorates a test; files and databases are dear, so that fewer of them are tried.
fuzz = settings.get_profile(os.environ.get("FUZZ_PROFILE", "suite"))
fuzz_files = settings(fuzz, max_examples=max(1, fuzz.max_examples // 3))

#: Texts that broke programs before: numbers that are none, markup, directions, escapes, paths.
HOSTILE = (
    *("", " ", "\x00", "\n", "\r\n", "\x1b[31m", "\u202etxt.exe", "\u2066", "\ufeff", "\ud800"),
    *("NaN", "nan", "inf", "-inf", "1e999", "-1", "-0", "1_000", "٣", "²", "0x10", "1e-320"),
    *("9" * 4400, "1" + "0" * 400, "None", "null", "[]", "{}", '"', "'", "\\", "%s", "%", "{0}"),
    *("../../etc/passwd", "/etc/passwd", "..", ".", "C:\\x", "a/../b", "~root/x", "~nobody-such/x"),
    *("</script><script>alert(1)</script>", "<!--", "=cmd|' /C calc'!A0", "'; DROP TABLE tickets"),
    *("http://[::1", "http://a:b@c:d", "http://\u2100.example", "gs://", "file:///", "//", "://"),
    *("2027-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    *("99999-01-01", "2027-01-15T08:00:00.000Z", "done", "failed", ",", ",,,", "a" * 7_000),
)

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.builds(lambda a, b: a + b, st.sampled_from(HOSTILE), st.sampled_from(HOSTILE)),
    st.floats().map(repr),
    st.integers().map(str),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def changed(data: bytes) -> st.SearchStrategy[bytes]:
    """``data`` with some bytes turned, and perhaps cut off, lengthened or with a hole."""

    def apply(turned: list[tuple[int, int]], cut: tuple[int, int], tail: bytes, how: int) -> bytes:
        made = bytearray(data)
        for at, bits in turned:
            made[at] ^= bits
        begin, end = sorted(cut)
        parts = {0: made, 1: made[:begin], 2: made[:begin] + made[end:], 3: made + tail}
        return bytes(parts[how])

    place = st.integers(0, len(data) - 1)
    return st.builds(
        apply,
        st.lists(st.tuples(place, st.integers(1, 255)), max_size=8),
        st.tuples(place, place),
        st.binary(max_size=50),
        st.sampled_from((0, 0, 0, 1, 2, 3)),
    )


@contextmanager
def refused_by(*kinds: type[BaseException]) -> Iterator[None]:
    """What is raised here is one of ``kinds``, and says something."""
    try:
        yield
    except kinds as error:
        if not str(error).strip():
            raise AssertionError("an error without words") from error


def changed_text(text: str) -> st.SearchStrategy[str]:
    """``text`` with some bytes turned."""
    return changed(text.encode()).map(lambda data: data.decode("utf-8", "replace"))
