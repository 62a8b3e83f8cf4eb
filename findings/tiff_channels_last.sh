#!/bin/sh
# An image of two or five channels, channels last, becomes a stack of one page a row.
# tifffile 2026.3.3 takes a last axis of 3 or 4 for samples of an RGB page. With 2, 5 or more
# channels, rows become pages: (32, 48, 2) is 32 pages of 48 x 2, and Pillow 13.0.0 or a viewer
# shows an image two pixels wide. imread gives the array back, so the writer does not notice.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
"$work/venv/bin/python" - <<'EOF'
import io

import numpy as np
import tifffile
from PIL import Image

for channels, pages, size in [(2, 32, (2, 48)), (3, 1, (48, 32)), (4, 1, (48, 32)), (5, 32, (5, 48))]:
    array = np.arange(32 * 48 * channels, dtype=np.uint8).reshape(32, 48, channels)
    file = io.BytesIO()
    tifffile.imwrite(file, array)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        count = len(tiff.pages)
    image = Image.open(io.BytesIO(file.getvalue()))
    print(f"{channels} channels: {count} pages, Pillow {image.size} (width, height)")
    assert count == pages == image.n_frames and image.size == size
    assert (tifffile.imread(io.BytesIO(file.getvalue())) == array).all()
EOF
echo "as described"
