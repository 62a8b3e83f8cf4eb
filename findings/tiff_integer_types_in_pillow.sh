#!/bin/sh
# Pillow opens integer TIFFs of some types as another type, and wraps or cuts their values.
# Pillow 13.0.0, files of tifffile 2026.3.3: int8 comes as uint8 (-1 is 255), uint32 as int32
# (3,000,000,000 is -1,294,967,296: label images), 16-bit RGB as 8-bit RGB (the low byte is
# dropped: 255 is 0). No error and no warning; int16, float32 and 16-bit grey are right.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
"$work/venv/bin/python" - <<'EOF'
import io
import warnings

import numpy as np
import tifffile
from PIL import Image

warnings.simplefilter("error")


def through_pillow(array):
    file = io.BytesIO()
    tifffile.imwrite(file, array)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())))


for value, dtype, expected in [
    (-1, np.int8, 255),
    (3_000_000_000, np.uint32, -1_294_967_296),
    (-5, np.int16, -5),
    (40_000, np.uint16, 40_000),
    (-1.5, np.float32, -1.5),
]:
    read = through_pillow(np.full((16, 16), value, dtype))
    print(np.dtype(dtype).name, value, "is read as", read.dtype, read[0, 0])
    assert (read == expected).all()

read = through_pillow(np.full((16, 16, 3), 4_095, np.uint16))
print("uint16 RGB 4095 is read as", read.dtype, read[0, 0, 0])
assert read.dtype == np.uint8 and (read == 4_095 >> 8).all()
EOF
echo "as described"
