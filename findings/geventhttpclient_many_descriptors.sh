#!/bin/sh
# geventhttpclient makes a new connection for every request once a process has 1,024 open files.
# geventhttpclient 2.6.1 asks select() whether a kept connection is still good, and takes its
# refusal of descriptors from 1,024 on for a dead one. 10 requests over one client make 1
# connection in a small process and 10 in one with 1,100 open files; no error, just more time and
# ports.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check geventhttpclient==2.6.1 gevent==26.9.0
"$work/venv/bin/python" - <<'EOF'
from gevent import monkey

monkey.patch_all()
import os
import resource

import gevent
from gevent.server import StreamServer
from geventhttpclient import HTTPClient

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
connections = []


def handle(connection, _address):
    connections.append(1)
    while connection.recv(4096):
        connection.sendall(ANSWER)


def connections_of_ten_requests():
    connections.clear()
    client = HTTPClient("127.0.0.1", server.server_port)
    for _ in range(10):
        client.get("/").read()
    client.close()
    return len(connections)


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
server = StreamServer(("127.0.0.1", 0), handle)
server.start()
few = connections_of_ten_requests()
gevent.sleep(0.1)  # the server lets go of its side
spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
many = connections_of_ten_requests()
print(f"10 requests: {few} connection with few files open, {many} with {len(spare):,} more")
assert (few, many) == (1, 10)
EOF
echo "as described"
