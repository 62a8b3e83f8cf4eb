#!/bin/sh
# gevent's WSGI server takes 40 ms more for each request on a kept connection.
# gevent 26.9.0 pywsgi on Linux loopback, http.client of Python 3.11: the first request of a
# connection takes about a millisecond, each further one 40 to 48 ms (head and body are written
# apart, and the client's kernel delays its acknowledgement). A server under test that is built on
# it shows a latency that is nobody's.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check gevent==26.9.0
"$work/venv/bin/python" - <<'EOF'
from gevent import monkey

monkey.patch_all()
import statistics
import subprocess
import sys
import textwrap

import gevent
from gevent.pywsgi import WSGIServer

CLIENT = '''
import http.client, sys, time

def times(connections):
    for connection in connections:
        began = time.perf_counter()
        connection.request("GET", "/")
        connection.getresponse().read()
        yield (time.perf_counter() - began) * 1000

def connect():
    return http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))

kept = connect()
print(*times([connect() for _ in range(20)]))
print(*list(times([kept] * 21))[1:])
'''


def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


server = WSGIServer(("127.0.0.1", 0), application, log=None)
server.start()
client = subprocess.Popen(
    [sys.executable, "-c", textwrap.dedent(CLIENT), str(server.server_port)], stdout=subprocess.PIPE, text=True
)
while client.poll() is None:
    gevent.sleep(0.05)
new, kept = ([float(word) for word in line.split()] for line in client.stdout.read().splitlines())
print(f"median of 20: new connections {statistics.median(new):.1f} ms, one kept {statistics.median(kept):.1f} ms")
assert statistics.median(new) < 20 < 35 < statistics.median(kept)
EOF
echo "as described"
