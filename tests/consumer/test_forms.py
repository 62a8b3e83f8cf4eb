"""Forms by job type: what each consumer takes, with the consumers' own lines written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kiosk_locust.consumer.arrays import Array, ArrayReader
from kiosk_locust.consumer.forms import (
    AUTO,
    ORDERS,
    Form,
    auto_order_warning,
    failure,
    faults,
    filled,
    order_of,
    unusable,
)


def array(axes: str, *shape: int) -> Array:
    reader = ArrayReader.PILLOW if axes == "YXS" and shape[-1] != 3 else ArrayReader.TIFFFILE
    return Array(reader, axes, shape)


GREY, RGB, PILLOW_GREY = array("YX", 20, 30), array("YXS", 20, 30, 3), array("YXS", 20, 30, 1)


@pytest.mark.parametrize(
    ("job_type", "channels", "segmentation_type"),
    [
        ("segmentation", "0,,", ""),
        ("mesmer", "0,1", ""),  # as the web page sends
        ("polaris", "0,1,2", "cell culture"),
        ("spot", "", ""),
        ("caliban", "", ""),
        ("somebody's own", "", ""),
    ],
)
def test_auto_is_what_the_job_type_needs(
    job_type: str, channels: str, segmentation_type: str
) -> None:
    form = filled(Form(job_type, AUTO, AUTO, AUTO), RGB, "a.tif")
    assert (form.channels, form.segmentation_type) == (channels, segmentation_type)
    assert form.dimension_order == ("XYC" if job_type == "segmentation" else "")
    assert list(faults(form)) == []
    assert failure(form, RGB, "a.tif") is None


def test_what_is_given_stays() -> None:
    form = Form("segmentation", "XY", ",,0", "x")
    assert filled(form, RGB, "a.tif") == form


def int_of_each(channels: str) -> bool:
    """Line 113 of mesmer_consumer.py, as it is."""
    try:
        [int(c) for c in channels.split(",")] if channels else None
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("channels", ["0,,", "0,1,", ",", "0,1", "2,0", "", "a,b"])
def test_mesmer_s_channels_are_refused_where_its_consumer_raises(channels: str) -> None:
    assert bool(list(faults(Form("mesmer", "", channels)))) is not int_of_each(channels)
    fails = failure(Form("mesmer", "", channels), None, "a.tif")
    assert (fails is not None) is not int_of_each(channels)
    if fails:
        assert fails.status == "pre-processing"
        assert fails.error.startswith("ValueError: invalid literal for int() with base 10: ")


@pytest.mark.parametrize("channels", ["0", "0,1,2"])
def test_mesmer_s_model_takes_two_channels(channels: str) -> None:
    (fault,) = faults(Form("mesmer", "", channels))
    assert fault.field == "channels"
    assert "two whole numbers" in fault.advice
    assert "0,1" in fault.advice


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (Form("segmentation", "XY", ""), "channels"),
        (Form("segmentation", "XY", ",,"), "channels"),
        (Form("segmentation", "XY", "0,1,2,3"), "channels"),
        (Form("segmentation", "", "0,,"), "dimension_order"),
        (Form("segmentation", "YX", "0,,"), "dimension_order"),
        (Form("segmentation", "ZXY", "0,,"), "dimension_order"),
        (Form("polaris", "", "0,1,2", ""), "segmentation_type"),
        (Form("polaris", "", "0,1,2", "Tissue"), "segmentation_type"),
        (Form("polaris", "", "0,1,", "tissue"), "channels"),
        (Form("polaris", "", "0,,", "cell culture"), "channels"),
        (Form("polaris", "", ",1,2", "cell culture"), "channels"),
        (Form("spot", "", "0,"), "channels"),
    ],
)
def test_what_a_consumer_cannot_use_is_named(form: Form, field: str) -> None:
    assert [fault.field for fault in faults(form)] == [field]


@pytest.mark.parametrize(
    "form",
    [
        Form("segmentation", "CXYB", "0,1,2"),
        Form("segmentation", "XY", ",,0"),
        Form("polaris", "", "0,1,", "cell culture"),
        Form("polaris", "", "", "none"),
        Form("spot", "", "0"),
        Form("caliban", "", "0,,"),
        Form("somebody's own", "QQ", "x"),
    ],
)
def test_what_a_consumer_can_use_is_no_fault(form: Form) -> None:
    assert list(faults(form)) == []


def to_bxyc(order: str, image: Any) -> Any:
    """``image_dimensions_to_bxyc`` of segmentation_consumer.py, in other words."""
    if image.ndim != len(order):
        raise ValueError("Input dimension order was")
    if order in ("XYB", "CXY"):
        image = np.moveaxis(image, *((-1, 0) if order == "XYB" else (0, -1)))
    elif order == "CXYB":
        image = np.swapaxes(image, 0, -1)
    image = image if "B" in order else image[np.newaxis]
    return image if "C" in order else image[..., np.newaxis]


@pytest.mark.parametrize(
    ("axes", "shape", "order", "bxyc"),
    [
        ("YX", (20, 30), "XY", (1, 20, 30, 1)),
        ("YXS", (20, 30, 3), "XYC", (1, 20, 30, 3)),
        ("YXS", (20, 30, 1), "XYC", (1, 20, 30, 1)),
        ("SYX", (3, 20, 30), "CXY", (1, 20, 30, 3)),
        ("CYX", (2, 20, 30), "CXY", (1, 20, 30, 2)),
        ("ZYX", (5, 20, 30), "BXY", (5, 20, 30, 1)),
        ("TYX", (5, 20, 30), "BXY", (5, 20, 30, 1)),
        ("IYX", (5, 20, 30), "BXY", (5, 20, 30, 1)),
        ("IYXS", (5, 20, 30, 3), "BXYC", (5, 20, 30, 3)),
        ("ZCYX", (3, 2, 20, 30), "", None),  # a hyperstack: no order names it
        ("TZCYX", (2, 3, 2, 20, 30), "", None),
    ],
)
def test_the_order_of_a_file_makes_batch_x_y_channel_of_it(
    axes: str, shape: tuple[int, ...], order: str, bxyc: tuple[int, ...] | None
) -> None:
    assert order_of(array(axes, *shape)) == order
    if bxyc is not None:
        assert to_bxyc(order, np.zeros(shape)).shape == bxyc


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (4, 20, 30, 2)])
def test_an_order_fails_where_the_consumer_s_own_check_does(
    order: str, shape: tuple[int, ...]
) -> None:
    axes = "QQQQ"[: len(shape)]
    fails = failure(Form("segmentation", order, "0,,"), array(axes, *shape), "a.tif")
    try:
        to_bxyc(order, np.zeros(shape))
    except ValueError:
        assert fails is not None
        assert fails.error == (
            f"ValueError: Input dimension order was {order} but input image has shape {shape}"
        )
    else:
        assert fails is None


def test_a_channel_that_the_file_does_not_have_fails_as_numpy_does() -> None:
    with pytest.raises(IndexError, match="index 3 is out of bounds") as raised:
        to_bxyc("XYC", np.zeros(RGB.shape))[..., 3]
    fails = failure(Form("segmentation", "XYC", "0,3,"), RGB, "a.tif")
    assert fails is not None
    what, _, _ = str(raised.value).partition(" for axis")
    assert fails.error.startswith(f"IndexError: {what} for axis")
    assert failure(Form("segmentation", "XYC", "0,2,"), RGB, "a.tif") is None


@pytest.mark.parametrize(
    ("job_type", "file", "name", "reason"),
    [
        ("segmentation", GREY, "a.tif", ""),
        ("segmentation", array("ZCYX", 3, 2, 20, 30), "a.tif", "no DIMENSION_ORDER names"),
        ("mesmer", GREY, "a.tif", "no two channels"),
        ("mesmer", PILLOW_GREY, "a.png", "no two channels"),
        ("mesmer", array("CYX", 2, 20, 30), "a.tif", ""),
        ("polaris", RGB, "a.png", ""),
        ("polaris", array("CYX", 3, 20, 30), "a.tif", "channels as its last axis"),
        ("polaris", GREY, "a.tif", "channels as its last axis"),
        ("spot", GREY, "a.tif", ""),
        ("spot", array("ZCYX", 3, 2, 20, 30), "a.tif", "too many axes"),
        ("caliban", array("TYX", 5, 20, 30), "a.tif", ""),
        ("caliban", GREY, "a.tif", "no stack of three axes"),
        ("caliban", PILLOW_GREY, "a.png", "no TIFF and no track file"),
        ("caliban", None, "a.trk", ""),
        ("segmentation", None, "a.trk", "is a track file"),
        ("segmentation", None, "a.tif", ""),
        ("somebody's own", array("ZCYX", 3, 2, 20, 30), "a.tif", ""),
    ],
)
def test_files_that_a_job_type_can_never_take_are_told(
    job_type: str, file: Array | None, name: str, reason: str
) -> None:
    told = unusable(job_type, file, name)
    assert reason in told
    assert bool(told) is bool(reason)


@pytest.mark.parametrize(
    ("name", "fails"),
    [("a.tif", ""), ("a.trks", ""), ("a.TIF", "ValueError"), ("a.png", "Invalid")],
)
def test_caliban_takes_endings_in_lower_case_alone(name: str, fails: str) -> None:
    found = failure(Form("caliban"), None, name)
    assert (found.error if found else "").startswith(fails)
    assert bool(found) is bool(fails)


def test_a_file_that_nobody_can_look_at_is_spoken_of() -> None:
    form = Form("segmentation", AUTO, AUTO, AUTO)
    assert filled(form, None, "a.png").dimension_order == "XYC"  # Pillow's have three axes always
    assert auto_order_warning(form, "a.png") == ""
    assert filled(form, None, "a.tif").dimension_order == "XYB"
    for name in ("a.tif", "a.zip"):
        assert "cannot be looked at from here, so XYB is sent" in auto_order_warning(form, name)
        assert "set DIMENSION_ORDER to XY" in auto_order_warning(form, name)
    assert auto_order_warning(Form("segmentation", "XY", AUTO), "a.tif") == ""
    assert auto_order_warning(Form("mesmer", AUTO, AUTO), "a.tif") == ""
