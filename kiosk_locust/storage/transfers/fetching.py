"""One file over HTTP: into a ``.part``, resumed where it broke off, renamed when it is whole."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import gevent
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from kiosk_locust.errors import DownloadError
from kiosk_locust.filesystem import disk_space
from kiosk_locust.filesystem.symlinks import open_part
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.storage import transfer_progress
from kiosk_locust.storage.bucket.streams import Turns
from kiosk_locust.storage.transfers.reach import NotAllowed, Reach, ReachAdapter

CHUNK_BYTES = 256 * 1024
#: What comes more slowly than this is no line to wait for; it would hold up the end of the run.
SLOWEST_BYTES_S = 4 * 1024
_PASSES = frozenset({408, 425, 429, 500, 502, 503, 504})
#: No file has more digits, and Python refuses to read thousands of them.
_LENGTH = r"([0-9]{1,18})"
_CONTENT_RANGE = re.compile(rf"bytes {_LENGTH}-{_LENGTH}/{_LENGTH}")

T = TypeVar("T")


class NoAuth(AuthBase):
    """Keeps requests from sending what stands in ~/.netrc to whatever host the Kiosk names."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add nothing."""
        return request


class _Session(requests.Session):
    """A session that does not look into ~/.netrc for whatever host it is redirected to."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Add nothing: there is nothing to send to anybody."""


def session(connections: int, reach: Reach) -> requests.Session:
    """What downloads share."""
    made = _Session()
    made.auth = NoAuth()
    made.headers["Accept-Encoding"] = "identity"
    adapter = ReachAdapter(reach, connections=connections)
    made.mount("http://", adapter)
    made.mount("https://", adapter)
    return made


class Fetch:
    """One file's way from ``url`` to ``path``; to be called until it succeeds.

    ``timeout_s`` is how long the connection may stand still; what drips must come at
    ``SLOWEST_BYTES_S`` at least.
    """

    def __init__(self, http: requests.Session, url: str, path: Path, *, timeout_s: float) -> None:
        self._http = http
        self._url = url
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._timeout_s = timeout_s
        self._validator = ""  # what tells that the rest is of the same file
        self._total: int | None = None

    def __call__(self) -> int:
        """Try once, going on from where the last try broke off; the file's bytes.

        Raises DownloadError. The file appears whole or not at all.
        """
        try:
            with self._within(2 * self._timeout_s):
                answer = self._asked()
            with answer:
                self._take(answer)
            self._check(answer)
            _in_thread(lambda: _finish(self._part, self._path))
        except (requests.RequestException, HTTPError) as error:
            raise self._error(f"broke off ({_plain(error)})") from error
        except OSError as error:
            message = f"{self._part} cannot be written: {error.strerror or error}"
            raise DownloadError(message, may_pass=False) from error
        return self._path.stat().st_size

    def _asked(self) -> requests.Response:
        have = self._part.stat().st_size if self._validator and self._part.exists() else 0
        headers = {"Range": f"bytes={have}-", "If-Range": self._validator} if have else {}
        timeout_s = (self._timeout_s, self._timeout_s)
        try:
            return self._http.get(self._url, headers=headers, stream=True, timeout=timeout_s)
        except NotAllowed as error:
            raise self._error(f"was not fetched: {error}", may_pass=False) from error
        except (ValueError, requests.TooManyRedirects) as error:  # of requests, urllib3 and urllib
            what = "is no address, or leads to none"
            raise self._error(what, may_pass=False) from error

    def _take(self, answer: requests.Response) -> None:
        """Add what comes to the part."""
        at = self._beginning(answer)
        validator = answer.headers.get("ETag", "")
        self._validator = "" if validator.startswith("W/") else validator
        self._part.parent.mkdir(parents=True, exist_ok=True)
        with open_part(self._part, "r+b" if at else "xb") as file:
            file.seek(at)
            file.truncate()
            turns = Turns()
            while piece := self._read(answer):
                transfer_progress.moved()
                self._check_room()
                file.write(piece)
                turns.count(len(piece))

    def _check_room(self) -> None:
        if lack := disk_space.lack_of(self._part.parent, disk_space.DOWNLOADS):
            raise self._error(f"was not read on: {lack} (OUTPUT_DIR)", may_pass=False)

    def _read(self, answer: requests.Response) -> bytes:
        with self._within(self._timeout_s + CHUNK_BYTES / SLOWEST_BYTES_S):
            piece: bytes = answer.raw.read(CHUNK_BYTES, decode_content=False)
            return piece

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Limit all of what the socket's own time limit allows as long as each byte comes."""
        limit = gevent.Timeout.start_new(seconds)
        try:
            yield
        except gevent.Timeout as expired:
            if expired is not limit:
                raise
            raise self._error(f"dripped, and was not there within {seconds:.3g} s") from None
        finally:
            limit.close()

    def _beginning(self, answer: requests.Response) -> int:
        """From which byte on the answer has the file; learns its whole length."""
        if answer.status_code == 206:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            have = self._part.stat().st_size if self._total is not None else None
            if found and int(found[1]) == have and int(found[3]) == self._total:
                return have
            self._forget()
            raise self._error("answered with another part of the file than was asked for")
        if answer.status_code == 416:
            self._forget()
        if answer.status_code != 200:
            passes = answer.status_code in _PASSES or answer.status_code == 416
            raise self._error(f"answered {answer.status_code}", may_pass=passes)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._error("answered in an encoding that was not asked for", may_pass=False)
        length = re.fullmatch(_LENGTH, answer.headers.get("Content-Length", ""))
        self._total = int(length[1]) if length else None
        chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if self._total is None and not chunked:
            raise self._error("does not tell how long the file is", may_pass=False)
        return 0

    def _check(self, answer: requests.Response) -> None:
        """Compare what came with what was promised."""
        size = self._part.stat().st_size
        if self._total is not None and size != self._total:
            raise self._error(f"broke off after {size:,} of {self._total:,} bytes")
        found = re.search(r"md5=([\w+/]+={0,2})", answer.headers.get("x-goog-hash", ""))
        if found and _in_thread(lambda: _md5(self._part)) != found[1]:
            self._forget()
            raise self._error("sent a file whose MD5 is not the one that it told")
        if self._path.suffix == ".zip" and not _in_thread(lambda: _is_whole_zip(self._part)):
            self._forget()
            raise self._error("sent a ZIP that is not whole")

    def _forget(self) -> None:
        """Begin anew with the next try."""
        self._validator = ""
        self._total = None

    def _error(self, what: str, *, may_pass: bool = True) -> DownloadError:
        return DownloadError(f"{_shown(self._url)} {what}", may_pass=may_pass)


def _finish(part: Path, path: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(path)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(digest.digest()).decode()


def _is_whole_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        return False
    return True


def _in_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns, done in a real thread, since it takes a while; raises OSError."""

    def caught() -> T | OSError:  # what is raised there, gevent would print with a traceback
        try:
            return work()
        except OSError as error:
            return error

    result: T | OSError = gevent.get_hub().threadpool.apply(caught)
    if isinstance(result, OSError):
        raise result
    return result


def _shown(url: str) -> str:
    """An address for a message: without what may be secret in it, a login or a signature."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    signed = "?…" if parts.query else ""
    return excerpt(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}") + signed


def _plain(error: Exception) -> str:
    """The words of the innermost error; those around it repeat the address."""
    inner: BaseException = error
    while cause := _cause(inner):
        inner = cause
    words = excerpt(re.sub(r"^\w+\([^)]*\): ", "", str(inner)))  # urllib3 begins with its object
    return re.sub(r"\?\S+", "?…", words) or type(error).__name__


def _cause(error: BaseException) -> BaseException | None:
    """The error that one is about, as requests and urllib3 wrap them."""
    found = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    return found if isinstance(found, BaseException) else None
