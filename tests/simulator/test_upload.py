"""A multipart body, in pieces of any size."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from kiosk_locust.simulator.upload import FilePart

HEAD = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


@given(
    st.lists(st.sampled_from([b"\r\n", b"--", b"B", b"-", b"\r", b"x", b"\n"]), max_size=30),
    st.integers(1, 40),
)
def test_the_md5_is_that_of_the_file_however_the_body_is_cut(parts: list[bytes], size: int) -> None:
    content = b"".join(parts)
    if b"\r\n--B" in b"\r\n" + content:  # this would be the boundary itself
        return
    body = HEAD + content + b"\r\n--B--\r\n"
    file = FilePart(b"B")
    for start in range(0, len(body), size):
        file.feed(body[start : start + size])
    assert file.name == "a.png"
    assert file.md5 == hashlib.md5(content).hexdigest()
