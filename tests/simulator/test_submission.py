"""How a request to predict is read: as the frontend, which is written in JavaScript."""

from __future__ import annotations

import pytest

from kiosk_locust.simulator.submission import InvalidSubmission, parse_submission, text_of

TYPES = ("segmentation", "mesmer")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, ""), (0.0, ""), (None, ""), (False, ""), ("", ""), (True, "true"),
        (1, "1"), (1.0, "1"), (0.5, "0.5"), ("0", "0"), ([1, "a"], "1,a"), ({}, ""),
        ({"a": 1}, "[object Object]"),
    ],
)  # fmt: skip
def test_values_reach_redis_as_javascript_writes_them(value: object, text: str) -> None:
    assert text_of(value) == text


def test_a_numeric_model_version_of_zero_is_lost_and_a_text_is_kept() -> None:
    lost = parse_submission({"jobType": "mesmer", "imageName": "a", "modelVersion": 0}, TYPES)
    kept = parse_submission({"jobType": "mesmer", "imageName": "a", "modelVersion": "0"}, TYPES)
    assert (lost.fields["model_version"], kept.fields["model_version"]) == ("", "0")


def test_the_form_fills_the_fields_of_the_consumer_and_its_scale_wins() -> None:
    form = {
        "dimensionOrder": "CXY",
        "selectedChannels": "0,,",
        "scale": 1.5,
        "segmentationType": "t",
    }
    read = parse_submission(
        {"jobType": "mesmer", "imageName": "a", "jobForm": form, "dataRescale": 9}, TYPES
    )
    names = ("dimension_order", "channels", "scale", "segmentation_type")
    assert [read.fields[name] for name in names] == ["CXY", "0,,", "1.5", "t"]


def test_an_older_client_gives_the_scale_by_its_older_name() -> None:
    read = parse_submission({"jobType": "mesmer", "imageName": "a", "dataRescale": "2"}, TYPES)
    assert read.fields["scale"] == "2"


def test_without_a_path_in_the_bucket_the_name_is_the_path() -> None:
    read = parse_submission({"jobType": "mesmer", "imageName": "a.ZIP"}, TYPES)
    assert (read.uploaded_name, read.queue) == ("a.ZIP", "mesmer-zip")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Invalid prediction request body."),
        ({"jobType": "mesmer"}, "Invalid prediction request body."),
        ({"jobType": "mesmer", "imageName": 3}, "Invalid prediction request body."),
        ([], "Invalid prediction request body."),
        ({"imageName": "a"}, "Invalid Job Type: undefined."),
        ({"imageName": "a", "jobType": "x"}, "Invalid Job Type: x."),
        ({"imageName": "a", "jobType": None}, "Invalid Job Type: null."),
    ],
)
def test_what_the_frontend_refuses_is_refused_in_its_words(body: object, message: str) -> None:
    with pytest.raises(InvalidSubmission) as refused:
        parse_submission(body, TYPES)
    assert str(refused.value) == message
