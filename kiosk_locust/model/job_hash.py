"""One reading of a job's hash, with the Kiosk's strings made numbers and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kiosk_locust.formatting.excerpt import without_middle

#: The fields that one poll reads, in the order asked for.
FIELDS = (
    "status",
    "created_at",
    "updated_at",
    "updated_by",
    "finished_at",
    "reason",
    "output_url",
    "output_file_name",
    "total_jobs",
    "total_time",
    "download_time",
    "upload_time",
    "prediction_time",
    "postprocess_time",
    "predict_retries",
    "children_upload_time",
    "cleanup_time",
    "failures",
    "children",
    "children:done",
    "children:failed",
    "identity_started",
)
#: Beside what the Kiosk wrote: so many entries of ``failures`` were left out (`failures.lighter`);
#: they were not read at all, since the whole hash is too large for an answer.
LEFT_OUT, UNREAD = "failures:left_out", "failures:unread"
FINAL_STATUSES = frozenset({"done", "failed"})

#: Texts for people, and the most characters of them that are kept: the middle of a longer one is
#: left out, since a traceback says at its end what happened. Real ones: a status of 40 characters,
#: a reason of some thousand, names of objects of at most 1,024 bytes.
_TEXTS = {
    "status": 100,
    "reason": 8_192,
    "updated_by": 256,
    "identity_started": 256,
    "output_file_name": 1_024,
}
#: Values that a part of would be other ones (times, numbers, an address): longer ones are none.
_VALUE, _ADDRESS = 64, 8_192
#: Of a ZIP, lists that grow with its images, some 25,000 of them: of its children's keys, and of a
#: number for each child. Longer ones are none; of an image's job they hold one value at most.
_KEYS, _NUMBERS = 2 * 2**20, 2**19
#: ZIPs' reasons, of which a hundred are kept: `failures` ends where this is reached.
_FAILURES = 2**20
_LISTS_OF_KEYS = frozenset({"children", "children:done", "children:failed"})
_LISTS_OF_NUMBERS = frozenset(
    {
        "total_time",
        "download_time",
        "upload_time",
        "prediction_time",
        "postprocess_time",
        "predict_retries",
        "children_upload_time",
        "cleanup_time",
    }
)
#: No field that is shorter needs a look.
ALWAYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The hash as the Kiosk wrote it: strings, with absent fields left out."""

    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether the Kiosk knows this hash: an unknown one reads as all nulls."""
        return bool(self.fields)

    @property
    def status(self) -> str:
        """The job's status, or an empty string."""
        return self.fields.get("status", "")

    @property
    def is_final(self) -> bool:
        """Whether the status is one that never changes again."""
        return self.status in FINAL_STATUSES

    def time(self, name: str) -> float | None:
        """Field ``name`` in epoch seconds, or None where it is absent or no time."""
        return parse_time(self.fields.get(name, ""))


def parse_time(text: str) -> float | None:
    """Epoch seconds of an ISO 8601 time, or None if it is none; no zone means UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def kept(name: str, text: str, *, zipped: bool) -> str | None:
    """So much of a field as is kept; None where it is so long that it counts as absent.

    ``zipped``: the job is a ZIP, whose hash has lists of its images.
    """
    if len(text) <= ALWAYS_KEPT:
        return text
    if (most := _TEXTS.get(name)) is not None:
        return without_middle(text, most)
    if zipped and name == "failures":
        return text if len(text) <= _FAILURES else text[:_FAILURES].rpartition("&")[0]
    return text if len(text) <= _most(name, zipped=zipped) else None


def _most(name: str, *, zipped: bool) -> int:
    if name == "output_url":
        return _ADDRESS
    if zipped and name in _LISTS_OF_KEYS:
        return _KEYS
    if zipped and name in _LISTS_OF_NUMBERS:
        return _NUMBERS
    return _VALUE
