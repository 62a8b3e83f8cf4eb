#!/bin/sh
# Whether Pillow reads a lossless JPEG (SOF3) changed with a patch release: 10.0.0 does not, 10.0.1 does.
# Its wheels came with libjpeg-turbo 3.0 from then on (Pillow 13.0.0: the same). 8 bits a sample
# alone: JPEGs of 12 or 16 bits are "cannot identify image file" in each.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
python3 -m venv made
made/bin/pip install --quiet --disable-pip-version-check imagecodecs==2026.3.6
made/bin/python - <<'EOF'
import imagecodecs
import numpy

pixels = (numpy.arange(20 * 30) % 251).astype("uint8").reshape(20, 30)
wide = pixels.astype("uint16") * 200
files = {
    "8.jpg": imagecodecs.jpeg8_encode(pixels, lossless=True),
    "16.jpg": imagecodecs.jpeg8_encode(wide, lossless=True, bitspersample=16),
}
for name, data in files.items():
    assert b"\xff\xc3" in data
    open(name, "wb").write(data)
pixels.tofile("pixels")
EOF
for version in 10.0.0 10.0.1 13.0.0; do
    python3 -m venv "$version"
    "$version/bin/pip" install --quiet --disable-pip-version-check "pillow==$version"
    "$version/bin/python" - <<'EOF'
from PIL import Image, __version__, features


def is_read(name):
    try:
        return Image.open(name).tobytes() == open("pixels", "rb").read()
    except OSError:
        return False


found = is_read("8.jpg"), is_read("16.jpg")
turbo = features.version("libjpeg_turbo")
print(f"Pillow {__version__}, libjpeg-turbo {turbo}: 8 bits {found[0]}, 16 bits {found[1]}")
assert found == (__version__ != "10.0.0", False)
EOF
done
echo "as described"
