"""Folders of real files, written by the libraries that others write theirs with."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

#: What is made of them is the same on every machine.
_RNG = np.random.default_rng(5)


def pixels(*shape: int) -> Any:
    """Noise, 8 bits a pixel."""
    return _RNG.integers(0, 255, shape, dtype=np.uint8)


def png(path: Path) -> Path:
    Image.fromarray(pixels(24, 32)).save(path, "PNG")
    return path


def jpeg(path: Path) -> Path:
    Image.fromarray(pixels(24, 32, 3)).save(path, "JPEG")
    return path


#: Every way in which a microscope's TIFF may be written.
TIFFS: dict[str, dict[str, Any]] = {
    "8bit": {"data": pixels(20, 30)},
    "16bit": {"data": pixels(20, 30).astype(np.uint16)},
    "32bit": {"data": pixels(20, 30).astype(np.uint32)},
    "float": {"data": pixels(20, 30).astype(np.float32)},
    "double": {"data": pixels(20, 30).astype(np.float64)},
    "rgb": {"data": pixels(20, 30, 3), "photometric": "rgb"},
    "pages": {"data": pixels(7, 20, 30), "photometric": "minisblack"},
    "big-endian": {"data": pixels(20, 30).astype(np.uint16), "byteorder": ">"},
    "bigtiff": {"data": pixels(20, 30), "bigtiff": True},
    "bigtiff-big-endian": {"data": pixels(20, 30), "bigtiff": True, "byteorder": ">"},
    "ome": {"data": pixels(2, 20, 30), "ome": True},
    "imagej": {"data": pixels(3, 20, 30), "imagej": True},
    "tiled": {"data": pixels(64, 64), "tile": (16, 16)},
    "deflate": {"data": pixels(20, 30), "compression": "zlib"},
    "bilevel": {"data": pixels(20, 30) > 127},
}


def tiff(path: Path, variant: str = "16bit") -> Path:
    options = dict(TIFFS[variant])
    tifffile.imwrite(path, options.pop("data"), **options)
    return path


def zipped(path: Path, images: int = 3) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(images):
            one = png(path.with_name("one.tmp"))
            archive.write(one, f"images/{number}.png")
            one.unlink()
        archive.writestr("__MACOSX/._0.png", b"not an image")
    return path


def folder_of(root: Path, files: int) -> tuple[list[str], list[str]]:
    """A folder with ``files`` good ones and a lot of junk; both lists in order, below ``root``."""
    good: list[str] = []
    places = ["", "plate 1/", "plate 1/well B/", "Pläte/ウェル/"]
    for number in range(files):
        place = root / places[number % len(places)]
        place.mkdir(parents=True, exist_ok=True)
        kind = number % 5
        if kind == 0:
            path = png(place / f"{number // 20:03d} Zelle_größe.png")
        elif kind == 1:
            path = jpeg(place / f"{number:03d}.JPG")
        elif kind == 4 and number % 20 == 4:
            path = zipped(place / f"{number:03d}.zip")
        elif kind == 4:
            path = png(place / f"{number:03d}_{'x' * 200}.dat")  # named like nothing
        else:
            variant = list(TIFFS)[number % len(TIFFS)]
            path = tiff(place / f"{number:03d}.{variant}.tif", variant)
        good.append(str(path.relative_to(root)))
    return sorted(set(good)), junk(root)


def junk(root: Path) -> list[str]:
    """Files that are none of ours, whatever their names say."""
    (root / "plate 1").mkdir(parents=True, exist_ok=True)
    made = {
        "empty.png": b"",
        "notes.txt": b"remember the milk",
        "plate 1/fake.tif": b"this is no TIFF",
        ".hidden.png": png(root / "tmp").read_bytes(),
        "cut.png": (root / "tmp").read_bytes()[:-60],
        "cut.tif": tiff(root / "tmp", "pages").read_bytes()[:900],
        "cut.zip": zipped(root / "tmp").read_bytes()[:-30],
    }
    (root / "tmp").unlink()
    with zipfile.ZipFile(root / "letter.docx", "w") as letter:
        letter.writestr("word/document.xml", "<w/>")
    for name, content in made.items():
        (root / name).write_bytes(content)
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "outside.png").symlink_to(png(root.parent / "elsewhere.png"))
    os.mkfifo(root / "pipe.png")
    return sorted([*made, "letter.docx", "gone.png", "outside.png", "pipe.png"])
