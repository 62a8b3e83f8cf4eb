"""The predicted arrays against those of tifffile and Pillow, under the consumer's reading rule."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kiosk_locust.consumer.arrays import Array, ArrayReader, array_of

_RNG = np.random.default_rng(7)


def noise(*shape: int, kind: Any = np.uint8) -> Any:
    return _RNG.integers(0, 255, shape).astype(kind)


def as_the_consumer_reads(path: Path) -> tuple[int, ...]:
    """``get_image`` of kiosk-redis-consumer 0.17.2, with Keras's ``img_to_array`` written out."""
    if os.path.splitext(path)[-1].lower() in {".tif", ".tiff"}:
        return tuple(tifffile.TiffFile(path).asarray().shape)
    pixels = np.asarray(Image.open(path), dtype="float32")
    return tuple(pixels.shape) if pixels.ndim == 3 else (*pixels.shape, 1)


def predicted(path: Path) -> Array | None:
    with path.open("rb") as file:
        return array_of(file, path.stat().st_size, path.name)


def tiff(**options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        tifffile.imwrite(path, **options)

    return write


def picture(pixels: Any, mode: str | None = None, form: str = "PNG") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(pixels)
        (image.convert(mode) if mode else image).save(path, form)

    return write


def two_series(path: Path) -> None:
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(noise(2, 20, 30), metadata={"axes": "CYX"})
        writer.write(noise(5, 24, 32), metadata={"axes": "ZYX"})


def odd_pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for shape in ((20, 30), (20, 30), (9, 9), (20, 30)):
            writer.write(noise(*shape), metadata=None)


def pages_by_pillow(path: Path) -> None:
    first, *others = (Image.fromarray(noise(20, 30)) for _ in range(4))
    first.save(path, "TIFF", save_all=True, append_images=others)


PLAIN = {"metadata": None, "photometric": "minisblack"}
FILES: dict[str, Callable[[Path], None]] = {
    "grey8.tif": tiff(data=noise(20, 30)),
    "grey16.tif": tiff(data=noise(20, 30, kind=np.uint16)),
    "grey16.TIF": tiff(data=noise(20, 30, kind=np.uint16), **PLAIN),
    "float.tiff": tiff(data=noise(20, 30, kind=np.float32), **PLAIN),
    "double.tif": tiff(data=noise(20, 30, kind=np.float64)),
    "big-endian.tif": tiff(data=noise(20, 30, kind=np.uint16), byteorder=">", **PLAIN),
    "bigtiff.tif": tiff(data=noise(20, 30), bigtiff=True, **PLAIN),
    "rgb.tif": tiff(data=noise(20, 30, 3), photometric="rgb"),
    "rgb-plain.tif": tiff(data=noise(20, 30, 3), photometric="rgb", metadata=None),
    "planar.tif": tiff(
        data=noise(3, 20, 30), photometric="rgb", planarconfig="separate", metadata=None
    ),
    "rgba.tif": tiff(
        data=noise(20, 30, 4), photometric="rgb", extrasamples=["unassalpha"], metadata=None
    ),
    "five-samples.tif": tiff(
        data=noise(20, 30, 5), photometric="minisblack", planarconfig="contig", metadata=None
    ),
    "pages.tif": tiff(data=noise(7, 20, 30), photometric="minisblack"),
    "pages-plain.tif": tiff(data=noise(7, 20, 30), **PLAIN),
    "pages-many.tif": tiff(data=noise(12, 20, 30), **PLAIN),
    "pages-rgb.tif": tiff(data=noise(4, 20, 30, 3), photometric="rgb", metadata=None),
    "pages-pillow.tif": pages_by_pillow,
    "odd-pages.tif": odd_pages,
    "one-kept.tif": tiff(data=noise(1, 20, 30), photometric="minisblack"),
    "named-axes.tif": tiff(
        data=noise(2, 20, 30), photometric="minisblack", metadata={"axes": "CYX"}
    ),
    "imagej-2d.tif": tiff(data=noise(20, 30), imagej=True),
    "imagej-z.tif": tiff(data=noise(3, 20, 30), imagej=True, metadata={"axes": "ZYX"}),
    "imagej-t.tif": tiff(data=noise(3, 20, 30), imagej=True, metadata={"axes": "TYX"}),
    "imagej-c.tif": tiff(data=noise(2, 20, 30), imagej=True, metadata={"axes": "CYX"}),
    "imagej-zc.tif": tiff(data=noise(3, 2, 20, 30), imagej=True, metadata={"axes": "ZCYX"}),
    "imagej-tzc.tif": tiff(data=noise(2, 3, 2, 20, 30), imagej=True, metadata={"axes": "TZCYX"}),
    "imagej-rgb.tif": tiff(data=noise(20, 30, 3), imagej=True, metadata={"axes": "YXS"}),
    "imagej-rgb-z.tif": tiff(data=noise(4, 20, 30, 3), imagej=True, metadata={"axes": "ZYXS"}),
    "ome-2d.ome.tif": tiff(data=noise(20, 30), ome=True),
    "ome-c.ome.tif": tiff(data=noise(2, 20, 30), ome=True, metadata={"axes": "CYX"}),
    "ome-zc.ome.tif": tiff(data=noise(3, 2, 20, 30), ome=True, metadata={"axes": "ZCYX"}),
    "ome-tczyx.ome.tif": tiff(
        data=noise(2, 2, 3, 20, 30), ome=True, metadata={"axes": "TCZYX"}, photometric="minisblack"
    ),
    "ome-rgb.ome.tif": tiff(
        data=noise(20, 30, 3), ome=True, photometric="rgb", metadata={"axes": "YXS"}
    ),
    "ome-two.ome.tif": two_series,
    "tiled.tif": tiff(data=noise(64, 64), tile=(16, 16), metadata=None),
    "deflated.tif": tiff(data=noise(20, 30), compression="zlib", metadata=None),
    "bilevel.tif": tiff(data=noise(20, 30) > 127, metadata=None),
    "pillow.tif": picture(noise(20, 30), form="TIFF"),
    "pillow-rgb.tif": picture(noise(20, 30, 3), form="TIFF"),
    "pillow-cmyk.tif": picture(noise(20, 30, 3), "CMYK", "TIFF"),
    "pillow-palette.tif": picture(noise(20, 30, 3), "P", "TIFF"),
    "grey.png": picture(noise(20, 30)),
    "grey16.png": picture(noise(20, 30, kind=np.uint16)),
    "bilevel.png": picture(noise(20, 30), "1"),
    "rgb.png": picture(noise(20, 30, 3)),
    "rgba.png": picture(noise(20, 30, 4)),
    "grey-alpha.png": picture(noise(20, 30), "LA"),
    "palette.png": picture(noise(20, 30, 3), "P"),
    "grey.jpg": picture(noise(20, 30), form="JPEG"),
    "rgb.jpeg": picture(noise(20, 30, 3), form="JPEG"),
    "cmyk.jpg": picture(noise(20, 30, 3), "CMYK", "JPEG"),
    "a png without a suffix": picture(noise(20, 30)),
    "tiff-8.png": tiff(data=noise(20, 30), **PLAIN),
    "tiff-16.png": tiff(data=noise(20, 30, kind=np.uint16), **PLAIN),
    "tiff-16-big-endian.png": tiff(data=noise(20, 30, kind=np.uint16), byteorder=">", **PLAIN),
    "tiff-float.png": tiff(data=noise(20, 30, kind=np.float32), **PLAIN),
    "tiff-rgb.png": tiff(data=noise(20, 30, 3), photometric="rgb", metadata=None),
    "tiff-rgba.png": picture(noise(20, 30, 4), form="TIFF"),
    "tiff-cmyk.png": picture(noise(20, 30, 3), "CMYK", "TIFF"),
    "tiff-deflated": tiff(data=noise(20, 30), compression="zlib", metadata=None),
    "tiff-palette.dat": picture(noise(20, 30, 3), "P", "TIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_array_is_what_the_consumer_s_reader_returns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    array = predicted(path)
    assert array is not None
    assert array.shape == as_the_consumer_reads(path)
    assert len(array.axes) == len(array.shape)
    assert array.reader is (ArrayReader.TIFFFILE if ".tif" in name.lower() else ArrayReader.PILLOW)


@pytest.mark.parametrize("name", [name for name in FILES if ".tif" in name.lower()])
def test_the_axes_are_those_that_tifffile_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    array = predicted(path)
    assert array is not None
    assert array.axes == tifffile.TiffFile(path).series[0].axes


def test_a_reader_that_fails_gives_no_array(tmp_path: Path) -> None:
    jpeg = tmp_path / "jpeg.tif"
    picture(noise(20, 30), form="JPEG")(jpeg)
    with pytest.raises(tifffile.TiffFileError):
        as_the_consumer_reads(jpeg)
    assert predicted(jpeg) is None
    double = tmp_path / "five.png"
    tiff(data=noise(20, 30, 5), photometric="minisblack", planarconfig="contig")(double)
    with pytest.raises(OSError, match="cannot identify"):
        as_the_consumer_reads(double)
    assert predicted(double) is None


def test_pages_that_pillow_would_drop_are_not_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "pages.png"
    pages_by_pillow(path)
    assert as_the_consumer_reads(path) == (20, 30, 1)  # of four pages
    assert predicted(path) is None


def test_an_array_is_the_same_after_a_way_as_text() -> None:
    array = Array(ArrayReader.TIFFFILE, "ZCYX", (3, 2, 20, 30))
    assert str(array) == "tifffile ZCYX 3,2,20,30"
    assert Array.parse(str(array)) == array
    for wrong in ("", "tifffile", "tifffile YX 1", "imageio YX 1,2", "tifffile YX 1,-2"):
        assert Array.parse(wrong) is None


@settings(max_examples=200)
@given(
    where=st.integers(0, 3000),
    value=st.integers(0, 255),
    name=st.sampled_from(["imagej-zc.tif", "ome-two.ome.tif", "pages.tif", "rgb.jpeg", "rgb.png"]),
)
def test_a_changed_byte_never_breaks_the_prediction(
    tmp_path_factory: pytest.TempPathFactory, where: int, value: int, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    FILES[name](path)
    content = bytearray(path.read_bytes())
    content[where % len(content)] = value
    path.write_bytes(content)
    array = predicted(path)
    assert array is None or min(array.shape) >= 1
