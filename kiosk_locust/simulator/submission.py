"""Submissions by POST /api/predict, parsed as the frontend does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class InvalidSubmission(Exception):
    """The frontend responds 400 with this message; no job was made."""


@dataclass(frozen=True, slots=True)
class SimulatedSubmission:
    """One accepted request; ``fields`` are those that a ZIP passes to its children."""

    job_type: str
    image_name: str
    uploaded_name: str
    fields: Mapping[str, str]

    @property
    def is_zip(self) -> bool:
        """True if it goes to the queue of ZIPs."""
        return self.image_name.lower().endswith(".zip")

    @property
    def queue(self) -> str:
        """Queue of its key; also the first part of the key."""
        return self.job_type + ("-zip" if self.is_zip else "")


def parse_submission(body: object, job_types: tuple[str, ...]) -> SimulatedSubmission:
    """Parse a JSON body.

    Raises:
        InvalidSubmission: The body is invalid; the message is the frontend's own.

    """
    image_name = body.get("imageName") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(image_name, str):
        raise InvalidSubmission("Invalid prediction request body.")
    job_type = body.get("jobType", "undefined")
    if job_type not in job_types:
        raise InvalidSubmission(f"Invalid Job Type: {text_of(job_type) or 'null'}.")
    form = body.get("jobForm")
    form = form if isinstance(form, dict) else {}
    return SimulatedSubmission(
        job_type=job_type,
        image_name=image_name,
        uploaded_name=text_of(body.get("uploadedName")) or image_name,
        fields={
            "model_name": text_of(body.get("modelName")),
            "model_version": text_of(body.get("modelVersion")),
            "postprocess_function": text_of(body.get("postprocessFunction")),
            "preprocess_function": text_of(body.get("preprocessFunction")),
            "cuts": text_of(body.get("cuts")) or "0",
            "url": text_of(body.get("imageUrl")),
            "label": text_of(body.get("dataLabel")),
            "dimension_order": text_of(form.get("dimensionOrder")),
            "channels": text_of(form.get("selectedChannels")),
            "scale": text_of(form.get("scale")) or text_of(body.get("dataRescale")),
            "segmentation_type": text_of(form.get("segmentationType")),
        },
    )


def text_of(value: object) -> str:
    """Redis text of JavaScript's ``value || ''``: 0, false and null become empty."""
    if not value:
        return ""
    if value is True:
        return "true"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ",".join(text_of(item) for item in value)
    return "[object Object]" if isinstance(value, dict) else str(value)
