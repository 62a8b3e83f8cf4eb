#!/bin/sh
# gevent's patching reads the metadata of every installed package, over and over.
# gevent 26.9.0 with importlib.metadata of Python 3.11: one `monkey.patch_all()` asks 25 times for the
# entry points of its plugin groups, and each time the metadata of all installed distributions are
# read anew. Whatever starts with it (Locust does) starts the later, the more packages stand in the
# environment, whether it uses them or not: with 150 small packages more, four times as late.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check gevent==26.9.0
"$work/venv/bin/python" - "$work" <<'EOF'
import statistics
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = textwrap.dedent("""
    import importlib.metadata, time
    from gevent import monkey

    list_all, calls = importlib.metadata.entry_points, []

    def listed(**wanted):
        calls.append(wanted)
        return list_all(**wanted)

    importlib.metadata.entry_points = listed
    began = time.process_time()
    monkey.patch_all()
    print(len(calls), (time.process_time() - began) * 1000)
""")


def measured(folder):
    """How often entry points were asked for, and the median of 5 CPU times in milliseconds."""
    lines = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    return int(lines[0][0]), statistics.median(float(cpu_ms) for _, cpu_ms in lines)


few, many = Path(sys.argv[1], "few"), Path(sys.argv[1], "many")
few.mkdir()
for number in range(150):  # packages of one module and one command each
    info = many / f"package{number}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package{number}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[console_scripts]\ncommand{number} = package{number}:main\n")
times = {name: measured(folder) for name, folder in (("none", few), ("150", many))}
for name, (calls, cpu_ms) in times.items():
    print(f"{name} more packages: entry points asked for {calls} times, patch_all takes {cpu_ms:.0f} ms of CPU")
assert times["none"][0] == times["150"][0] == 25
assert times["150"][1] > 2 * times["none"][1]
EOF
echo "as described"
