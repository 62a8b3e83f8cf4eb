"""Labels of measures on the terminal and on web pages."""

from __future__ import annotations

#: By the key of a measure in the summary, in the order of the rows.
LABELS = {
    "duration": "whole job",
    "since_due": "since it was due",
    "lag": "begun late",
    "creation": "sent to created",
    "queue_wait": "queue wait",
    "interrupted": "interrupted work",
    "processing": "processing",
    "unpacking": "unpacking (ZIP)",
    "children": "children at work",
    "packing": "packing (ZIP)",
    "detection": "polling delay",
    "unknown": "unknown",
    "total": "without queue",
    "download": "download",
    "predict": "predict",
    "postprocess": "postprocess",
    "upload": "upload",
    "children_upload": "children upload",
    "cleanup": "cleanup",
    "file_upload": "file upload",
    "result_download": "result download",
    "submission_lag": "submission lag",
    "socket_wait": "socket wait",
    "submission_http": "submission HTTP",
    "detection_bound": "end seen within",
    "duration_error": "duration's error",
    "since_due_error": "since due's error",
    "zip_error": "ZIP stages' error",
}
