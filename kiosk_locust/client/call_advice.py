"""Likely causes of calls that fail, with what to look at and the setting that matters.

Nothing here is certain: the words say "likely", and what a cause rests on is the kind of call and
how it failed.
"""

from __future__ import annotations

import re

from kiosk_locust.client.call_trouble import TroubleKind
from kiosk_locust.client.messages import refusal_advice
from kiosk_locust.errors import (
    Answered,
    BadAnswer,
    BucketError,
    DownloadError,
    NoAnswer,
    Redirected,
    RedisRefused,
    Unreachable,
)

#: A frontend (measured with kiosk-frontend 0.11.3) stores the file, asks to make it public, which
#: a bucket with uniform access refuses, and never answers.
UNIFORM_ACCESS = (
    "the frontend stores each file, but cannot make it public, so that it never answers: a bucket"
    " with uniform bucket-level access (switch it to fine-grained access, or set"
    " UPLOAD_VIA=bucket); else it needs long to pass the files on (a longer REQUEST_TIMEOUT)"
)

_HUNG = "the Kiosk's frontend, its Redis or its node hangs, or a firewall swallows what is sent"
_BROKE = "the frontend, or what stands before it (ingress, proxy), restarts or crashes"
_REFUSED = "the Kiosk is down or restarts, or API_HOST (its port, too) is wrong"
_BY_STATUS = {
    408: "the network to what stands before the Kiosk is too slow",
    429: "too many requests for what stands before the Kiosk; a longer UPDATE_INTERVAL and fewer"
    " jobs at once spare it",
    500: "the frontend cannot use its Redis, or fails by itself; its log says which",
    502: "what stands before the frontend (ingress) reaches none of its pods: they crash, restart,"
    " or are too busy",
    503: "no pod of the frontend is ready, or what stands before it sheds load; a longer"
    " UPDATE_INTERVAL and fewer jobs at once spare it",
    504: "the frontend does not answer what stands before it (ingress) in time: its Redis hangs, or"
    " it is too busy",
}
_TIMED_OUT = "REQUEST_TIMEOUT"
#: In the messages of buckets and downloads.
_STATUS = re.compile(r"(?:answered |\()([1-5]\d\d)\b")

#: What becomes of such calls meanwhile, and the settings for that.
_MEANWHILE = {
    TroubleKind.SUBMISSION: "jobs that were surely not taken are sent again until RETRY_BUDGET is"
    " over, those that may have been at most 3 times (ON_AMBIGUOUS)",
    TroubleKind.POLL: "jobs in flight are asked for until RETRY_BUDGET is over, and go on once"
    " that is mended; or press Ctrl-C, mend it, and go on with --resume",
    TroubleKind.UPLOAD: "files that were surely not stored are sent again until RETRY_BUDGET is"
    " over, those that were sent whole without an answer at most 3 times",
    TroubleKind.BUCKET: "files are sent again until RETRY_BUDGET is over",
    TroubleKind.DOWNLOAD: "each result is tried 5 times, and as long as none arrives for a minute;"
    " its job counts all the same",
    TroubleKind.EXPIRY: "results do not suffer: only the records of ended jobs stay in the Kiosk's"
    " Redis (EXPIRE_TIME=0 sets no expiry)",
    TroubleKind.CHECKPOINT: "the run goes on; should its disk be lost, so is what came after the"
    " last one (CHECKPOINT)",
}


def meanwhile(kind: TroubleKind) -> str:
    """What becomes of calls of that kind while they fail."""
    return _MEANWHILE[kind]


def cause_of(kind: TroubleKind, error: BaseException) -> str:
    """The likely cause of calls that fail so."""
    if kind is TroubleKind.UPLOAD and is_unanswered(error):
        return UNIFORM_ACCESS
    if isinstance(error, RedisRefused):
        return "the Kiosk's Redis is out of memory, read-only or still loading"
    if isinstance(error, BadAnswer):
        return "something else than a Kiosk answers there, as a login page does; see API_HOST"
    if isinstance(error, Redirected):
        return "it redirects, as to a login page; is API_HOST right?"
    if isinstance(error, Answered):
        return _BY_STATUS.get(error.status) or (
            refusal_advice(error.status) if error.status < 500 else _BY_STATUS[500]
        )
    if isinstance(error, Unreachable):
        return _HUNG if _TIMED_OUT in str(error) else _REFUSED
    if isinstance(error, NoAnswer):
        return _HUNG if _TIMED_OUT in str(error) else _BROKE
    return _cause_of_other(error)


def _cause_of_other(error: BaseException) -> str:
    if isinstance(error, BucketError):
        return "the bucket's service, the network to it (HTTPS_PROXY counts), or its permissions"
    if isinstance(error, DownloadError):
        status = _STATUS.search(str(error))
        if status and status[1].startswith("4"):
            return "the bucket does not let everybody read what the Kiosk's jobs made"
        return "the bucket's service, or the network to it (HTTPS_PROXY counts)"
    return "see the error"


def cause_of_silence(kind: TroubleKind) -> str:
    """The likely cause of calls that are not answered at all."""
    if kind is TroubleKind.UPLOAD:
        return UNIFORM_ACCESS
    if kind in (TroubleKind.BUCKET, TroubleKind.DOWNLOAD, TroubleKind.CHECKPOINT):
        return "the network to the bucket, or its service (HTTPS_PROXY counts)"
    return _HUNG


def is_unanswered(error: BaseException) -> bool:
    """Whether an upload that ended so may be stored: it was sent whole, and nobody answered.

    504 is the same by the word of what stands before the frontend.
    """
    if isinstance(error, NoAnswer):
        return error.sent_whole
    return isinstance(error, Answered) and error.status == 504


def in_short(error: BaseException) -> str:
    """An error in a word or two."""
    if isinstance(error, BadAnswer):
        return f"HTTP {error.status}, no JSON"
    if isinstance(error, Answered):
        return f"HTTP {error.status}"
    if isinstance(error, Unreachable | NoAnswer):
        if _TIMED_OUT in str(error):
            return "no answer in time"
        return "no connection" if isinstance(error, Unreachable) else "the connection broke"
    if status := _STATUS.search(str(error)):
        return f"HTTP {status[1]}"
    return "the bucket" if isinstance(error, BucketError) else "no whole answer"
