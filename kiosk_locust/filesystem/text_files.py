"""Reading of text files that users write, with one set of rules.

These are ``.env``, configuration files, ``pyproject.toml``, traces, price files, and files of
thresholds and of secrets. Each is a regular file of at most `MAX_BYTES` (fewer for secrets), in
UTF-8 (a byte order mark is skipped), without NUL bytes; lines end in LF, CR LF or CR. Anything else
is rejected with its line number.
"""

from __future__ import annotations

import difflib
import stat
from collections.abc import Iterable
from pathlib import Path

from kiosk_locust.errors import TextFileError

#: Several times a trace of a million jobs; a larger file was named by mistake.
MAX_BYTES = 64 * 2**20

_UTF8_MARK = b"\xef\xbb\xbf"
#: Marks of other encodings, the longer ones first: that of UTF-32 begins like that of UTF-16.
_OTHER_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_LOOKS_ALIKE = 0.85  # of difflib's ratio, from 0 to 1
_CURE = "save it as text in UTF-8"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of ``names``; empty if none is similar enough to suggest it."""
    return next(iter(difflib.get_close_matches(name, names, 1, _LOOKS_ALIKE)), "")


def read_text(
    path: Path, *, mark: bool = True, max_bytes: int | None = None, quoted: bool = True
) -> str:
    """The text of a file, without its byte order mark, each line ended by LF.

    Args:
        path: A regular file, or a link to one.
        mark: False rejects a byte order mark, since another reader of the file takes it for a
            part of the text.
        max_bytes: The size above which the file is refused; default: `MAX_BYTES`.
        quoted: False keeps the file's content out of messages, since it is secret.

    Raises:
        TextFileError: The file cannot be read, or is not text; the message does not name it.

    """
    data = _read(path, MAX_BYTES if max_bytes is None else max_bytes)
    for sign, encoding in _OTHER_MARKS:
        if data.startswith(sign):
            raise TextFileError(f"the file is {encoding}, not text in UTF-8: {_CURE}")
    if data.startswith(_UTF8_MARK):
        if not mark:
            raise TextFileError(
                "line 1 begins with a byte order mark, which would be taken for a part of it:"
                " save the file in UTF-8 without one"
            )
        data = data.removeprefix(_UTF8_MARK)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not quoted:
            raise TextFileError(f"the file is not text in UTF-8: {_CURE}") from None
        line, column = _place(data, error.start)
        raise TextFileError(
            f"line {line}, byte {column}: the file is not text in UTF-8: {_CURE}"
        ) from None
    if "\0" in text:
        if not quoted:
            raise TextFileError(f"the file holds NUL bytes, so it is not text: {_CURE}")
        line, column = _place(data, data.index(b"\0"))
        raise TextFileError(f"line {line}, byte {column} is NUL: the file is not text: {_CURE}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(path: Path, max_bytes: int) -> bytes:
    """Content of a regular file; other kinds of files are never opened."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = next((kind for is_one, kind in _KINDS if is_one(mode)), "no file")
            raise TextFileError(f"it is {kind}: name a text file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise TextFileError("there is no such file") from None
    except OSError as error:
        raise TextFileError(f"the file cannot be read: {error.strerror}") from error
    except ValueError as error:  # a path with a NUL in it
        raise TextFileError(f"the file cannot be read: {error}") from None
    if len(data) > max_bytes:
        raise TextFileError(f"the file is larger than {_size(max_bytes)}: is it the right one?")
    return data


def _size(limit_bytes: int) -> str:
    return f"{limit_bytes // 2**20} MiB" if limit_bytes >= 2**20 else f"{limit_bytes // 2**10} KiB"


def _place(data: bytes, offset: int) -> tuple[int, int]:
    """Line and byte in it, both from 1, of an offset in a file."""
    before = data[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
