#!/bin/sh
# A boolean mask that tifffile writes is inverted where Pillow reads it.
# tifffile 2026.3.3 stores bool arrays as min-is-white and ignores that tag when it reads; Pillow
# 13.0.0 honours it for 1 and 8 bits, and ignores it for 16. So one file gives two opposite masks,
# and which one depends on the bits.
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


def read_both(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    pillow = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    return tifffile.imread(io.BytesIO(file.getvalue())), pillow


mask = np.zeros((16, 16), bool)
mask[:4] = True
ours, theirs = read_both(mask)
print("bool: tifffile", ours[0, 0], "Pillow", theirs[0, 0])
assert (ours == mask).all() and (theirs == ~mask).all()

grey = np.full((16, 16), 3, np.uint8)
ours, theirs = read_both(grey, photometric="miniswhite")
print("uint8, min-is-white: tifffile", ours[0, 0], "Pillow", theirs[0, 0])
assert (ours == 3).all() and (theirs == 252).all()

deep = np.full((16, 16), 3, np.uint16)
ours, theirs = read_both(deep, photometric="miniswhite")
print("uint16, min-is-white: tifffile", ours[0, 0], "Pillow", theirs[0, 0])
assert (ours == 3).all() and (theirs == 3).all()
EOF
echo "as described"
