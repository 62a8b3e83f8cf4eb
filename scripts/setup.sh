# Sourced by the other scripts: makes .venv in the project's folder and installs into it what
# $requirements lists (a file of pins with hashes, which pip compares) and the project itself.
# Does nothing if it is there.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Python 3.11 or newer is needed; $("$PYTHON" --version) was found. Set PYTHON=…" >&2
    exit 2
fi
if [ ! -x .venv/bin/pip ]; then
    "$PYTHON" -m venv .venv || {
        echo "The virtual environment could not be made. On Debian: apt-get install python3-venv" >&2
        rm -rf .venv
        exit 2
    }
fi
wanted=$(cat "$requirements" pyproject.toml | cksum)
installed=.venv/installed-$(basename "$requirements")
if [ "$(cat "$installed" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing $requirements into .venv …" >&2
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
    # It warns of a folder that is called as the package is, which is what we want.
    PYTHONWARNINGS=ignore .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    echo "$wanted" > "$installed"
fi
