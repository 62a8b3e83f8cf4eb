"""The Kiosk's HTTP API as typed calls with typed errors; nothing is tried twice here.

Every call raises what ``Transport.request`` raises, and for an answer that is not the one
promised: Redirected, Refused, Busy, RedisRefused, ServerFault or BadAnswer, each with its
``timing``.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from kiosk_locust.client.answers import bad_answer, json_object
from kiosk_locust.client.body import FileForm
from kiosk_locust.client.call_failures import CallFailures
from kiosk_locust.client.call_trouble import PATHS, TroubleKind
from kiosk_locust.client.exchange import Exchange
from kiosk_locust.client.transport import Transport
from kiosk_locust.errors import BadAnswer, KioskError, TooLarge
from kiosk_locust.formatting.excerpt import excerpt
from kiosk_locust.model.job_hash import ALWAYS_KEPT, FIELDS, UNREAD, Snapshot, kept
from kiosk_locust.model.record import JobRequest

logger = logging.getLogger(__name__)

#: An answer that is longer is none, but for the hash of a ZIP, which lists its images, and the
#: list of models: the processes of a run hold some hundred answers at once.
MOST_ANSWER_BYTES = 2**20
#: Names that the Kiosk gives: Google Cloud Storage takes 1,024 bytes for an object's; a job's has
#: its queue, its image's name and 32 digits in it.
MOST_NAME = 1_024

T = TypeVar("T")

# The end of every poll's body; made once, since polls are most of what is sent.
_READ_TAIL = b', "key": ' + json.dumps(FIELDS).encode() + b"}"
# The same of a hash that is too large: the tracebacks of a ZIP's images can weigh anything.
_LIGHT_FIELDS = tuple(name for name in FIELDS if name != "failures")
_LIGHT_TAIL = b', "key": ' + json.dumps(_LIGHT_FIELDS).encode() + b"}"


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that was accepted: its id (the key of its hash) and the request that made it."""

    job_id: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a job's hash and the request that took it."""

    snapshot: Snapshot
    exchange: Exchange


class Kiosk:
    """A client of one Kiosk; ``calls`` is told how each call that jobs make has ended."""

    def __init__(self, transport: Transport, calls: CallFailures | None = None) -> None:
        self.transport = transport
        self.is_simulated = False  # once `health` was answered by somebody who says so
        self._calls = calls
        self._cut: set[str] = set()  # fields that were too long, and of which that was told
        if calls:
            calls.watch(
                lambda: tuple(transport.open_calls), {path: kind for kind, path in PATHS.items()}
            )

    def predict(self, request: JobRequest, wanted: Callable[[], bool] | None = None) -> Submission:
        """Submit one job. Not idempotent: each call that arrives makes a new job.

        ``wanted`` is asked right before it is sent; Withdrawn is raised where it says no.
        """
        job_id, exchange = self._noted(
            TroubleKind.SUBMISSION, lambda: self._predict(request, wanted)
        )
        return Submission(job_id, exchange)

    def _predict(
        self, request: JobRequest, wanted: Callable[[], bool] | None
    ) -> tuple[str, Exchange]:
        body = _predict_bytes(request)
        exchange = self.transport.request(
            "POST",
            PATHS[TroubleKind.SUBMISSION],
            body,
            wanted=wanted,
            most_bytes=MOST_ANSWER_BYTES,
        )
        answer = json_object(exchange, self._where(exchange))
        job_id = answer.get("hash")
        if not isinstance(job_id, str) or not job_id or _storable(job_id) != job_id:
            raise bad_answer(exchange, self._where(exchange), "no job's hash")
        if len(job_id) > MOST_NAME + len(request.image_name):
            what = f"a job's hash of {len(job_id):,} characters"
            raise bad_answer(exchange, self._where(exchange), what)
        return job_id, exchange

    def upload(
        self, form: FileForm, wanted: Callable[[], bool] | None = None
    ) -> tuple[str, Exchange]:
        """Upload a file; where it then is in the bucket.

        The frontend names it by the MD5 of the form's file name and the time in milliseconds
        (upload.controller.js), so two uploads of one file name can be one object.

        ``wanted`` is asked before and while it is sent; Withdrawn is raised where it says no.
        Raises InputError where the file is not as it was planned.
        """
        return self._noted(TroubleKind.UPLOAD, lambda: self._upload(form, wanted))

    def _upload(self, form: FileForm, wanted: Callable[[], bool] | None) -> tuple[str, Exchange]:
        exchange = self.transport.request(
            "POST", PATHS[TroubleKind.UPLOAD], form, wanted=wanted, most_bytes=MOST_ANSWER_BYTES
        )
        name = json_object(exchange, self._where(exchange)).get("uploadedName")
        if not isinstance(name, str) or not name or _storable(name) != name:
            raise bad_answer(exchange, self._where(exchange), "no uploadedName")
        if len(name) > MOST_NAME:
            what = f"an uploadedName of {len(name):,} characters"
            raise bad_answer(exchange, self._where(exchange), what)
        return name, exchange

    def read(self, job_id: str, *, zipped: bool = True) -> Reading:
        """Read all of a job's fields that are of interest; an unknown job has none.

        ``zipped`` False: it is no ZIP, so that its hash has no lists. Fields that are too long are
        cut, or count as absent: see `snapshot.kept`. The hash of a ZIP comes without ``failures``,
        and with UNREAD in its place, where that is too large for an answer.
        """
        snapshot, exchange = self._noted(
            TroubleKind.POLL, lambda: self._read(job_id, zipped=zipped)
        )
        return Reading(snapshot, exchange)

    def _read(self, job_id: str, *, zipped: bool) -> tuple[Snapshot, Exchange]:
        try:
            return self._fields(job_id, _READ_TAIL, FIELDS, zipped=zipped)
        except TooLarge:
            if not zipped:
                raise
        snapshot, exchange = self._fields(job_id, _LIGHT_TAIL, _LIGHT_FIELDS, zipped=zipped)
        return Snapshot({**snapshot.fields, UNREAD: "true"}), exchange

    def _fields(
        self, job_id: str, tail: bytes, names: Sequence[str], *, zipped: bool
    ) -> tuple[Snapshot, Exchange]:
        body = b'{"hash": ' + _encode(job_id) + tail
        most_bytes = None if zipped else MOST_ANSWER_BYTES
        exchange, answer = self._post(PATHS[TroubleKind.POLL], body, most_bytes)
        values = answer.get("value")
        if not isinstance(values, list) or len(values) != len(names):
            raise self._no_values(exchange, len(names))
        fields = {}
        for name, value in zip(names, values, strict=True):
            if value is None:
                continue
            if not isinstance(value, str):
                raise self._no_values(exchange, len(names))
            text: str | None = value
            if len(value) > ALWAYS_KEPT:
                text = kept(name, value, zipped=zipped)
                if text is not value:
                    self._tell_of_cut(name, job_id, len(value), is_absent=text is None)
            if text is not None:
                fields[name] = text if text.isascii() else _storable(text)
        return Snapshot(fields), exchange

    def _tell_of_cut(self, name: str, job_id: str, length: int, *, is_absent: bool) -> None:
        """Say it once for each field."""
        if name in self._cut:
            return
        self._cut.add(name)
        logger.warning(
            "the Kiosk's field %s of job %s has %s characters, and %s; the same of other jobs is"
            " not told any more",
            *(name, excerpt(job_id), f"{length:,}"),
            "counts as absent" if is_absent else "is cut",
        )

    def expire(self, job_id: str, seconds: int) -> bool:
        """Have the job's hash deleted in ``seconds``; False if there is no such hash.

        Raises ValueError unless ``seconds`` is a whole number of at least 1: Redis refuses
        fractions, and the frontend turns 0 into an hour.
        """
        if seconds != int(seconds) or seconds < 1:
            raise ValueError(f"expiry must be a whole number of seconds from 1, not {seconds!r}")
        is_known, _ = self._noted(TroubleKind.EXPIRY, lambda: self._expire(job_id, int(seconds)))
        return is_known

    def _expire(self, job_id: str, seconds: int) -> tuple[bool, Exchange]:
        body = _encode({"hash": job_id, "expireIn": seconds})
        exchange = self.transport.request(
            "POST", PATHS[TroubleKind.EXPIRY], body, most_bytes=MOST_ANSWER_BYTES
        )
        if exchange.status == 404 and _says_zero(exchange):
            return False, exchange
        value = json_object(exchange, self._where(exchange)).get("value")
        if value not in (0, 1):
            raise bad_answer(exchange, self._where(exchange), "neither 0 nor 1 as its value")
        return bool(value), exchange

    def job_types(self) -> tuple[str, ...]:
        """The job types that this Kiosk has queues for."""
        exchange, answer = self._get("/api/jobtypes")
        types = answer.get("jobTypes")
        if not isinstance(types, list) or not _all_are(types, str):
            raise bad_answer(exchange, self._where(exchange), "no list of job types")
        return tuple(types)

    def models(self) -> dict[str, tuple[str, ...]]:
        """The models in the Kiosk's bucket with their versions; none: those are not known.

        A frontend whose MODEL_PREFIX ends without a slash, as by default, lists empty names.
        """
        exchange, answer = self._get("/api/models", None)
        models = answer.get("models")
        if not isinstance(models, dict) or not all(
            isinstance(versions, list) and _all_are(versions, str, int)
            for versions in models.values()
        ):
            raise bad_answer(exchange, self._where(exchange), "no models with lists of versions")
        return {
            name: tuple(str(version) for version in versions if version != "")
            for name, versions in models.items()
            if name
        }

    def health(self) -> None:
        """Ask the frontend whether it is there; returns if it says that it is.

        Our simulator says in a header that it is one. Where a proxy strips it, that is not known.
        """
        exchange, answer = self._get("/api/health-check")
        self.is_simulated = exchange.headers.get("x-kiosk", "").strip().lower() == "simulated"
        if not isinstance(answer.get("message"), str):
            raise bad_answer(exchange, self._where(exchange), "no message")

    def _noted(
        self, kind: TroubleKind, call: Callable[[], tuple[T, Exchange]]
    ) -> tuple[T, Exchange]:
        """Make one call, and tell whoever listens how it has ended."""
        try:
            answer, exchange = call()
        except KioskError as error:
            if self._calls:
                timing = error.timing
                began_at = timing and (timing.socket_at or timing.asked_at)
                self._calls.failed(kind, error, began_at or self.transport.clock.now())
            raise
        if self._calls:
            self._calls.succeeded(kind, exchange.answered_in_s)
        return answer, exchange

    def _no_values(self, exchange: Exchange, number: int) -> BadAnswer:
        what = f"no list of {number} strings or nulls"
        return bad_answer(exchange, self._where(exchange), what)

    def _get(
        self, path: str, most_bytes: int | None = MOST_ANSWER_BYTES
    ) -> tuple[Exchange, dict[str, Any]]:
        exchange = self.transport.request("GET", path, most_bytes=most_bytes)
        return exchange, json_object(exchange, self._where(exchange))

    def _post(
        self, path: str, body: bytes, most_bytes: int | None
    ) -> tuple[Exchange, dict[str, Any]]:
        exchange = self.transport.request("POST", path, body, most_bytes=most_bytes)
        return exchange, json_object(exchange, self._where(exchange))

    def _where(self, exchange: Exchange) -> str:
        return f"{exchange.method} {self.transport.base_url}{exchange.path}"


def predict_body(request: JobRequest) -> dict[str, Any]:
    """What ``POST /api/predict`` is sent; what is empty is left out, so the Kiosk chooses.

    ================== ======================================================================
    jobType            names the queue (with ``-zip`` after it for ``….zip``)
    imageName          becomes ``original_name`` and a part of the job's id
    uploadedName       path in the bucket that consumers download
    modelName          with modelVersion, recorded as requested; today's segmentation
    modelVersion       consumer chooses by itself. A string: a numeric 0 is dropped
    preprocessFunction names of functions in the consumer; recorded, and ignored by
    postprocessFunction today's segmentation consumer
    dataRescale        what frontends before 0.10 read as the scale
    dataLabel          what they read as the label; a string, since a numeric 0 is dropped
    jobForm            what the segmentation consumer since 0.16 reads, and fails without:
    .dimensionOrder    ``XY``, ``XYB``, ``CXY``, …
    .selectedChannels  channel numbers, comma-joined: ``0,,``
    .scale             a number
    .segmentationType  ``nuclear``, ``whole cell``, …
    ================== ======================================================================
    """
    scale = _number_or_text(request.scale)
    job_form = {
        "dimensionOrder": request.dimension_order,
        "selectedChannels": request.channels,
        "scale": scale,
        "segmentationType": request.segmentation_type,
    }
    body = {
        "jobType": request.job_type,
        "imageName": request.image_name,
        "uploadedName": request.uploaded_name,
        "modelName": request.model_name,
        "modelVersion": request.model_version,
        "preprocessFunction": request.preprocess,
        "postprocessFunction": request.postprocess,
        "dataRescale": scale,
        "dataLabel": request.label,
        "jobForm": _filled(job_form),
    }
    return _filled(body)


@lru_cache(maxsize=256)
def _predict_bytes(request: JobRequest) -> bytes:
    """The body of a submission; many jobs ask for the same."""
    return _encode(predict_body(request))


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", {})}


def _number_or_text(text: str) -> int | float | str:
    """``text`` as the number it is, whole where it can be; JSON has no infinities."""
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _encode(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


def _storable(text: str) -> str:
    """``text`` without halves of characters, which JSON can spell and no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _says_zero(exchange: Exchange) -> bool:
    """Whether the body is the frontend's ``{"value": 0}``, not some other 404."""
    try:
        answer = json.loads(exchange.body)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("value") == 0


def _all_are(values: list[Any], *kinds: type) -> bool:
    return all(isinstance(value, kinds) for value in values)
