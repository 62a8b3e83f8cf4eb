"""One reading of a job's hash, with the Kiosk's strings made numbers and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
