"""Download of one file over HTTP into a ``.part``, resumed after interruptions."""

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
#: Slower transfers (bytes/s) are aborted: they would delay the end of the run.
SLOWEST_BYTES_S = 4 * 1024
_PASSES = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Real lengths have fewer digits, and Python refuses to parse thousands of them.
_LENGTH = r"([0-9]{1,18})"
_CONTENT_RANGE = re.compile(rf"bytes {_LENGTH}-{_LENGTH}/{_LENGTH}")

T = TypeVar("T")


class NoAuth(AuthBase):
    """Keeps requests from sending logins of ~/.netrc to hosts that the Kiosk names."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add no header."""
        return request


class _Session(requests.Session):
    """Session that does not look up ~/.netrc for hosts of redirects."""

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Add no header."""


def session(connections: int, reach: Reach) -> requests.Session:
    """HTTP session that all downloads share."""
    shared = _Session()
    shared.auth = NoAuth()
    shared.headers["Accept-Encoding"] = "identity"
    adapter = ReachAdapter(reach, connections=connections)
    shared.mount("http://", adapter)
    shared.mount("https://", adapter)
    return shared


class Fetch:
    """Download from ``url`` to ``path``; to be called until it succeeds.

    ``timeout_s`` is how long the connection may stall; the whole must arrive at ``SLOWEST_BYTES_S``
    at least.
    """

    def __init__(self, http: requests.Session, url: str, path: Path, *, timeout_s: float) -> None:
        self._http = http
        self._url = url
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._timeout_s = timeout_s
        self._validator = ""  # identifies the file's version for a range request
        self._total: int | None = None

    def __call__(self) -> int:
        """Try once, continuing where the last try broke off.

        Returns:
            The file's size in bytes; the file is replaced atomically.

        Raises:
            DownloadError: The try failed.

        """
        try:
            with self._within(2 * self._timeout_s):
                answer = self._request()
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

    def _request(self) -> requests.Response:
        offset = self._part.stat().st_size if self._validator and self._part.exists() else 0
        headers = {"Range": f"bytes={offset}-", "If-Range": self._validator} if offset else {}
        timeout_s = (self._timeout_s, self._timeout_s)
        try:
            return self._http.get(self._url, headers=headers, stream=True, timeout=timeout_s)
        except NotAllowed as error:
            raise self._error(f"was not fetched: {error}", may_pass=False) from error
        except (ValueError, requests.TooManyRedirects) as error:  # requests, urllib3, urllib
            problem = "is no address, or leads to none"
            raise self._error(problem, may_pass=False) from error

    def _take(self, answer: requests.Response) -> None:
        """Append the response's body to the part."""
        offset = self._beginning(answer)
        validator = answer.headers.get("ETag", "")
        self._validator = "" if validator.startswith("W/") else validator
        self._part.parent.mkdir(parents=True, exist_ok=True)
        with open_part(self._part, "r+b" if offset else "xb") as file:
            file.seek(offset)
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
        """Limit the total time, which the socket's own timeout does not if single bytes arrive."""
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
        """Offset at which the response starts; also learns the whole length."""
        if answer.status_code == 206:
            content_range = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            offset = self._part.stat().st_size if self._total is not None else None
            if (
                content_range
                and int(content_range[1]) == offset
                and int(content_range[3]) == self._total
            ):
                return offset
            self._forget()
            raise self._error("answered with another part of the file than was asked for")
        if answer.status_code == 416:
            self._forget()
        if answer.status_code != 200:
            is_transient = answer.status_code in _PASSES or answer.status_code == 416
            raise self._error(f"answered {answer.status_code}", may_pass=is_transient)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._error("answered in an encoding that was not asked for", may_pass=False)
        length = re.fullmatch(_LENGTH, answer.headers.get("Content-Length", ""))
        self._total = int(length[1]) if length else None
        chunked = answer.headers.get("Transfer-Encoding", "").lower() == "chunked"
        if self._total is None and not chunked:
            raise self._error("does not tell how long the file is", may_pass=False)
        return 0

    def _check(self, answer: requests.Response) -> None:
        """Compare the received file with its announced length and checksum."""
        size = self._part.stat().st_size
        if self._total is not None and size != self._total:
            raise self._error(f"broke off after {size:,} of {self._total:,} bytes")
        checksum = re.search(r"md5=([\w+/]+={0,2})", answer.headers.get("x-goog-hash", ""))
        if checksum and _in_thread(lambda: _md5(self._part)) != checksum[1]:
            self._forget()
            raise self._error("sent a file whose MD5 is not the one that it told")
        if self._path.suffix == ".zip" and not _in_thread(lambda: _is_whole_zip(self._part)):
            self._forget()
            raise self._error("sent a ZIP that is not whole")

    def _forget(self) -> None:
        """Restart from the beginning with the next try."""
        self._validator = ""
        self._total = None

    def _error(self, problem: str, *, may_pass: bool = True) -> DownloadError:
        return DownloadError(f"{_shown(self._url)} {problem}", may_pass=may_pass)


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
    """Result of ``work``, run in a real thread because it is slow.

    Raises:
        OSError: ``work`` raised it.

    """

    def caught() -> T | OSError:  # gevent would print an exception of the thread with a traceback
        try:
            return work()
        except OSError as error:
            return error

    result: T | OSError = gevent.get_hub().threadpool.apply(caught)
    if isinstance(result, OSError):
        raise result
    return result


def _shown(url: str) -> str:
    """Address for a message, without secret parts such as a login or a signature."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "the address"
    signed = "?…" if parts.query else ""
    return excerpt(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}") + signed


def _plain(error: Exception) -> str:
    """Message of the innermost error; outer ones repeat the address."""
    inner: BaseException = error
    while cause := _cause(inner):
        inner = cause
    words = excerpt(re.sub(r"^\w+\([^)]*\): ", "", str(inner)))  # urllib3 starts with its object
    return re.sub(r"\?\S+", "?…", words) or type(error).__name__


def _cause(error: BaseException) -> BaseException | None:
    """Inner error, as requests and urllib3 wrap it."""
    inner = getattr(error, "reason", None) or (error.args[-1] if error.args else None)
    return inner if isinstance(inner, BaseException) else None
