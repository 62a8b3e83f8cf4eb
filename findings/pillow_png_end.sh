#!/bin/sh
# Pillow reads a PNG that lacks its last 20 bytes, without a word; of a JPEG not one may be missing.
# Pillow 13.0.0: IEND (12 bytes), the CRC of the last data (4) and zlib's checksum (4) are not needed
# for the pixels, which come out right; one byte more, and it is "image file is truncated". A JPEG, BMP
# or TIFF that lacks one byte is refused. So "Pillow opens it" does not say that a PNG is whole.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
"$work/venv/bin/python" - <<'EOF'
import io
import random
import warnings

from PIL import Image

warnings.simplefilter("error")
pixels = random.Random(1).randbytes(64 * 64)
image = Image.frombytes("L", (64, 64), pixels)


def lacks(form, missing):
    """Whether such a file, without its last bytes, has all its pixels."""
    file = io.BytesIO()
    image.save(file, form)
    data = file.getvalue()
    whole = Image.open(io.BytesIO(data)).tobytes()
    try:
        return Image.open(io.BytesIO(data[: len(data) - missing])).tobytes() == whole
    except OSError:
        return False


for form, most in [("PNG", 20), ("JPEG", 0), ("BMP", 0), ("TIFF", 0)]:
    read = [missing for missing in range(30) if lacks(form, missing)]
    print(f"{form}: read with up to {read[-1]} bytes missing")
    assert read == list(range(most + 1))
EOF
echo "as described"
