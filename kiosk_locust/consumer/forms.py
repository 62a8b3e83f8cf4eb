"""Forms of jobs: fields that each job type's consumer needs, and files that it accepts.

After the consumers of kiosk-redis-consumer 0.17.2 and the web page of kiosk-frontend 0.11.3
(``src/Predict/JobForm``). Unknown job types get no default values and are not
checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from kiosk_locust.consumer.arrays import Array, is_for_tifffile
from kiosk_locust.consumer.tracks import TRACKS

#: Placeholder for the value that job type and file need.
AUTO = "auto"
#: Orders that ``image_dimensions_to_bxyc`` converts to batch, X, Y, channel, and that the web page
#: offers. Consumers accept others of the shape's length, but with wrong axes.
ORDERS = ("XY", "BXY", "CXY", "XYB", "XYC", "BXYC", "CXYB")
#: Order for a file that cannot be read here.
UNSEEN_ORDER = "XYB"
MOST_CHANNELS = 3  # nuclear, phase, cytoplasm: MODEL_CHOICES
SEGMENTATION, MESMER, POLARIS, SPOT, CALIBAN = (
    "segmentation", "mesmer", "polaris", "spot", "caliban",
)  # fmt: skip
SEGMENTATION_TYPES = ("none", "tissue", "cell culture")
#: Lower case only: ``_load_data`` compares so, though ``is_valid_hash`` does not.
CALIBAN_SUFFIXES = (".tif", ".tiff", ".trk", ".trks")


@dataclass(frozen=True, slots=True)
class Form:
    """Fields of a submission that affect the consumer's parsing."""

    job_type: str
    dimension_order: str = ""
    channels: str = ""
    segmentation_type: str = ""


class FormFault(NamedTuple):
    """Field that the job type's consumer cannot use; ``advice`` names valid values."""

    field: str
    value: str
    advice: str


class FormFailure(NamedTuple):
    """Failure of a job: the status in which its consumer fails, and the exception."""

    status: str
    error: str


def filled(form: Form, array: Array | None, name: str) -> Form:
    """The form with AUTO replaced; ``array`` is the file's (or a ZIP's children's), if known."""
    result = form
    if result.segmentation_type == AUTO:
        result = replace(
            result, segmentation_type="cell culture" if form.job_type == POLARIS else ""
        )
    if result.channels == AUTO:
        result = replace(result, channels=_channels(result))
    if result.dimension_order == AUTO:
        order = _order(array, name) if form.job_type == SEGMENTATION else ""
        result = replace(result, dimension_order=order)
    return result


def _channels(form: Form) -> str:
    if form.job_type == POLARIS:
        return "" if form.segmentation_type == "none" else "0,1,2"
    return {SEGMENTATION: "0,,", MESMER: "0,1"}.get(form.job_type, "")


def _order(array: Array | None, name: str) -> str:
    if array is not None:
        return order_of(array) or UNSEEN_ORDER
    is_read_by_pillow = not is_for_tifffile(name) and not name.lower().endswith(".zip")
    return "XYC" if is_read_by_pillow else UNSEEN_ORDER  # Pillow's arrays always have three axes


def order_of(array: Array) -> str:
    """Dimension order of an array's axes; empty if none of ORDERS fits.

    Channels and samples of a pixel are C; time, depth, pages and all others are B.
    """
    letters = "".join(
        axis if axis in "XY" else "C" if axis in "CS" else "B" for axis in array.axes
    ).replace("YX", "XY")  # the consumer's X is the first of the two
    return letters if letters in ORDERS else ""


def faults(form: Form) -> Iterator[FormFault]:
    """Fields that are invalid for every file; AUTO is always valid."""
    if form.job_type == SEGMENTATION and form.dimension_order not in (AUTO, *ORDERS):
        advice = f"segmentation jobs take {', '.join(ORDERS)}, or auto, which looks at the file"
        yield FormFault("dimension_order", form.dimension_order, advice)
    if form.job_type == POLARIS and form.segmentation_type not in (AUTO, *SEGMENTATION_TYPES):
        advice = f"polaris jobs take {', '.join(SEGMENTATION_TYPES)}, or auto"
        yield FormFault("segmentation_type", form.segmentation_type, advice)
    if form.channels != AUTO and (advice := _channels_advice(form)):
        yield FormFault("channels", form.channels, advice)


def _channels_advice(form: Form) -> str:
    """Advice on invalid channels of a form; empty if they are valid."""
    parts = form.channels.split(",") if form.channels else []
    numbers = [bool(re.fullmatch("[0-9]+", part)) for part in parts]
    are_whole = all(numbers)
    match form.job_type:
        case "segmentation":
            fits = all(
                is_number or not part for part, is_number in zip(parts, numbers, strict=True)
            )
            if not (fits and any(numbers) and len(parts) <= MOST_CHANNELS):
                return (
                    "segmentation jobs take up to three channel numbers with commas between"
                    " (nuclear, phase, cytoplasm), empty for one not used and at least one used:"
                    " 0,, is the first channel as nuclei; or auto"
                )
        case "mesmer":
            if parts and not (are_whole and len(parts) == 2):
                return (
                    "mesmer jobs take two whole numbers (nuclei, cytoplasm) and no comma more:"
                    " 0,1; or auto"
                )
        case "polaris":
            return _polaris_advice(form, parts, numbers)
        case "spot":
            if not are_whole:
                return "spot jobs take whole numbers with commas between: 0; or auto"
    return ""


def _polaris_advice(form: Form, parts: list[str], numbers: list[bool]) -> str:
    if form.segmentation_type == "none":
        return "" if all(numbers[:1]) else "polaris jobs take the channel of the spots: 0; or auto"
    if len(parts) != MOST_CHANNELS or not numbers[0]:
        return "polaris jobs take three (spots, nuclei, cytoplasm): 0,1,2; or auto"
    rest = numbers[1:]
    if form.segmentation_type == "tissue" and not all(rest):
        return "polaris jobs on tissue take three whole numbers: 0,1,2; or auto"
    if not any(rest) or any(part and not is_ for part, is_ in zip(parts, numbers, strict=True)):
        return "polaris jobs on cell culture take nuclei, cytoplasm or both: 0,1,2 or 0,1,; or auto"
    return ""


def failure(form: Form, array: Array | None, name: str) -> FormFailure | None:
    """Failure of the consumer on a file that it can read; None if it proceeds to its model.

    ``array`` is None if unknown: then only the form is checked.
    """
    match form.job_type:
        case "segmentation":
            return _segmentation_failure(form, array)
        case "mesmer" | "spot":
            return _by_channels_failure(form, array)
        case "polaris":
            return _polaris_failure(form, array)
        case "caliban":
            return _caliban_failure(array, name)
    return None


def _segmentation_failure(form: Form, array: Array | None) -> FormFailure | None:
    order = form.dimension_order
    shape = array.shape if array else (1080, 1280) if not order else None
    if shape is not None and len(order) != len(shape):
        error = f"Input dimension order was {order} but input image has shape {shape}"
        return FormFailure("started", f"ValueError: {error}")
    for position, part in enumerate(form.channels.split(",")):
        if not part:
            continue
        if not part.isdecimal():
            return FormFailure("pre-processing", _no_number(part))
        if array and int(part) >= _channels_of(array, order):
            return FormFailure("pre-processing", _out_of_bounds(part, _channels_of(array, order)))
        if position >= MOST_CHANNELS:
            return FormFailure("pre-processing", f"KeyError: {position}")
    return None


def _channels_of(array: Array, order: str) -> int:
    return array.shape[order.index("C")] if "C" in order else 1


def _by_channels_failure(form: Form, array: Array | None) -> FormFailure | None:
    for part in form.channels.split(",") if form.channels else []:
        if not part.isdecimal():
            return FormFailure("pre-processing", _no_number(part))
    shape = squeezed(array)
    if form.job_type == SPOT and shape is not None and len(shape) not in (2, 3):
        error = f"Image with {shape} shape was uploaded"
        return FormFailure("started", f"ValueError: {error}")
    if form.job_type == MESMER and shape is not None and len(shape) != 3:
        return FormFailure("pre-processing", f"ValueError: Invalid image shape: {(1, *shape)}.")
    if form.job_type == MESMER and shape is not None and form.channels:
        most = max(int(part) for part in form.channels.split(","))
        if most >= max(shape[0], shape[-1]):
            return FormFailure("pre-processing", _out_of_bounds(str(most), shape[-1]))
    return None


def _polaris_failure(form: Form, array: Array | None) -> FormFailure | None:
    if form.segmentation_type not in SEGMENTATION_TYPES:
        return FormFailure("saving-results", "IndexError: tuple index out of range")
    parts = form.channels.split(",") if form.channels else ["0"]
    used = parts[:1] if form.segmentation_type == "none" else parts
    shape = squeezed(array)
    for part in used if form.segmentation_type == "tissue" else [parts[0], *filter(None, used[1:])]:
        if not part.isdecimal():
            return FormFailure("predicting", _no_number(part))
        if shape is not None and int(part) >= shape[-1]:
            return FormFailure("predicting", _out_of_bounds(part, shape[-1]))
    if shape is not None and len(shape) < 3:
        return FormFailure("predicting", f"ValueError: Image with {shape[:-1]} shape was uploaded")
    if form.segmentation_type != "none" and len(parts) < MOST_CHANNELS:
        return FormFailure("predicting", "IndexError: list index out of range")
    return None


def _caliban_failure(array: Array | None, name: str) -> FormFailure | None:
    if not name.lower().endswith(CALIBAN_SUFFIXES):
        return FormFailure("new", 'Invalid filetype for "caliban" job.')
    if not name.endswith(CALIBAN_SUFFIXES):
        error = "_load_data takes in only .tiff, .trk, or .trks"
        return FormFailure("started", f"ValueError: {error}")
    if array and len(array.shape) != 3:
        error = f"This tiff file has shape {array.shape}, which is not 3 dimensions."
        return FormFailure("started", f"ValueError: {error}")
    return None


def squeezed(array: Array | None) -> tuple[int, ...] | None:
    """Shape without dimensions of 1, as most consumers use it."""
    return None if array is None else tuple(size for size in array.shape if size != 1)


def _no_number(part: str) -> str:
    return f"ValueError: invalid literal for int() with base 10: {part!r}"


def _out_of_bounds(part: str, size: int) -> str:
    return f"IndexError: index {part} is out of bounds for axis -1 with size {size}"


def unusable(job_type: str, array: Array | None, name: str) -> str:
    """Reason why a job type accepts a file with no form, as in “a.tif …”; empty if it may."""
    if name.lower().endswith(TRACKS):
        return (
            "" if job_type in (CALIBAN, "") else f"is a track file, which {job_type} takes none of"
        )
    if job_type == CALIBAN and not name.lower().endswith(CALIBAN_SUFFIXES):
        return "is no TIFF and no track file, which caliban tracks alone"
    if array is None:
        return ""
    size = " x ".join(map(str, array.shape))
    description = f"{size}, axes {array.axes}"
    shape = squeezed(array) or ()
    match job_type:
        case "segmentation":
            return (
                "" if order_of(array) else f"has axes that no DIMENSION_ORDER names ({description})"
            )
        case "mesmer":
            has_channels = len(shape) == 3
            return (
                "" if has_channels else f"has no two channels, which mesmer needs ({description})"
            )
        case "spot":
            return "" if len(shape) in (2, 3) else f"has too many axes for spot ({description})"
        case "polaris":
            is_last = len(shape) > 2 and array.axes[-1] in "CS"
            return (
                ""
                if is_last
                else f"has no channels as its last axis, as polaris needs ({description})"
            )
        case "caliban":
            return "" if len(array.shape) == 3 else f"is no stack of three axes ({description})"
    return ""


def auto_order_warning(form: Form, name: str) -> str:
    """Warning about AUTO for a file that was not read; empty if there is none."""
    if form.job_type != SEGMENTATION or form.dimension_order != AUTO or _order(None, name) == "XYC":
        return ""
    subject = "the images in it are" if name.lower().endswith(".zip") else "it is"
    return (
        f"DIMENSION_ORDER is auto and {name} cannot be looked at from here, so {UNSEEN_ORDER} is"
        f" sent: the segmentation consumer fails where {subject} not of three axes, such as a"
        " plain 2-D TIFF; then set DIMENSION_ORDER to XY"
    )
