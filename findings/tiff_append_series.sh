#!/bin/sh
# A TIFF written plane by plane is one plane long for tifffile.imread, unless its metadata are left out.
# tifffile 2026.3.3: three imwrite(append=True), or three TiffWriter.write in a loop, make three
# series, and imread returns the first plane alone, without a warning. With metadata=None (or with
# contiguous=True) the same planes are one stack of three. Pillow 13.0.0 counts three frames in
# each.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
"$work/venv/bin/python" - <<'EOF'
import pathlib
import tempfile

import numpy as np
import tifffile
from PIL import Image

folder = pathlib.Path(tempfile.mkdtemp())
planes = [np.full((16, 16), number, np.uint16) for number in range(3)]


def append(name, **options):
    path = folder / name
    for plane in planes:
        tifffile.imwrite(path, plane, append=True, **options)
    return path


def write(name, **options):
    path = folder / name
    with tifffile.TiffWriter(path) as writer:
        for plane in planes:
            writer.write(plane, **options)
    return path


for path, shape in [
    (append("append.tif"), (16, 16)),
    (write("write.tif"), (16, 16)),
    (append("append_without_metadata.tif", metadata=None), (3, 16, 16)),
    (write("contiguous.tif", contiguous=True), (3, 16, 16)),
]:
    read = tifffile.imread(path).shape
    frames = Image.open(path).n_frames
    print(f"{path.name}: imread {read}, Pillow {frames} frames")
    assert read == shape and frames == 3
EOF
echo "as described"
