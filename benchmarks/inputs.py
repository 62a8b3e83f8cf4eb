"""What looking through files takes, and whether it is right.

``python benchmarks/inputs.py scan [FILES]`` makes a folder of so many small files (100,000 unless
told otherwise; a third each of TIFF, PNG and JPEG), looks through it once, and prints a line of
JSON. ``… zip [MEMBERS]`` does the same with a ZIP in which the last file alone is an image.
``… cuts [TIMES]`` cuts the valid files of ``tests/storage/inputs/corpus.py`` at that many places
each, and prints how our verdict compares with tifffile and Pillow, a line for each file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from kiosk_locust.storage.inputs.finding import find
from tests.storage.inputs import corpus
from tests.storage.inputs.test_wholeness import (
    is_for_pillow,
    read_by_pillow,
    read_by_tifffile,
    verdict,
)

_A_FOLDER = 1000  # files


def scan(folder: Path, number: int) -> dict[str, float]:
    """Seconds of one look at ``number`` small files."""
    kinds = {
        "tif": corpus.TIFFS["plain"](),
        "png": corpus.PICTURES["png"](),
        "jpg": corpus.PICTURES["jpeg"](),
    }
    endings = list(kinds)
    for file in range(number):
        place = folder / f"{file // _A_FOLDER:04d}"
        place.mkdir(exist_ok=True)
        ending = endings[file % len(endings)]
        (place / f"{file:07d}.{ending}").write_bytes(kinds[ending])
    return _timed(lambda: len(find(folder).files))


def big_zip(folder: Path, number: int) -> dict[str, float]:
    """Seconds of one look at a ZIP of ``number`` annotations and an image."""
    path = folder / "big.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in range(number):
            archive.writestr(f"notes/{member}.json", b"{}")
        archive.writestr("last.png", corpus.PICTURES["png"]())
    return _timed(lambda: find(path).files[0].images)


def _timed(work: Callable[[], int]) -> dict[str, float]:
    cpu_s, wall_s = time.process_time(), time.monotonic()
    number = work()
    return {
        "files": number,
        "cpu_s": round(time.process_time() - cpu_s, 2),
        "wall_s": round(time.monotonic() - wall_s, 2),
    }


def cuts(folder: Path, times: int) -> None:
    """Print, for each file of the corpus, how often verdict and reader came to what."""
    tiffs = {**corpus.TIFFS, **corpus.LZW}
    for_pillow = {name: make for name, make in tiffs.items() if is_for_pillow(make())}
    for reader, name, read, files in (
        ("tifffile", "a.tif", read_by_tifffile, tiffs),
        ("Pillow", "a.png", read_by_pillow, {**for_pillow, **corpus.PICTURES}),
    ):
        for title, make in files.items():
            counts = _compared(make(), folder / name, read, times)
            if counts:
                shown = ", ".join(f"{what} {number}" for what, number in sorted(counts.items()))
                print(f"{reader:8} {title:34} {shown}")


def _compared(data: bytes, path: Path, read: Callable[[bytes], Any], times: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    whole = read(data)
    if whole is None:
        return counts  # LZW without imagecodecs
    for length in range(len(data), 0, -max(1, len(data) // times)):
        path.write_bytes(data[:length])
        theirs = read(data[:length])
        is_read = theirs is not None and np.array_equal(whole, theirs)
        counts[f"{verdict(path)}/{'read' if is_read else 'not read'}"] += 1
    return counts


if __name__ == "__main__":
    command, *given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as made:
        if command == "cuts":
            cuts(Path(made), int(given[0]) if given else 200)
        else:
            measure = {"scan": scan, "zip": big_zip}[command]
            print(json.dumps(measure(Path(made), int(given[0]) if given else 100_000)))
