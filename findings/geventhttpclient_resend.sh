#!/bin/sh
# geventhttpclient sends GET, PUT and DELETE once more, in silence, when a kept connection ends without an answer.
# geventhttpclient 2.6.1: a server that answers one request, reads the next one and closes sees
# GET, PUT and DELETE a second time on a new connection, and the caller sees one answer; POST is
# sent once and raises. So a count of requests at a server may exceed the client's, and a DELETE
# may act twice.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check geventhttpclient==2.6.1 gevent==26.9.0
"$work/venv/bin/python" - <<'EOF'
from gevent import monkey

monkey.patch_all()
import gevent
from gevent.server import StreamServer
from geventhttpclient import HTTPClient

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def requests_seen(method):
    seen = []

    def handle(connection, _address):
        for number in range(2):
            data = b""
            while not data.endswith(b"\r\n\r\n"):
                part = connection.recv(4096)
                if not part:
                    return
                data += part
            seen.append(data.split(b" ", 1)[0].decode())
            if number == 0:
                connection.sendall(ANSWER)
        connection.close()

    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    client = HTTPClient("127.0.0.1", server.server_port, connection_timeout=5, network_timeout=5)
    client.get("/").read()
    try:
        client.request(method, "/").read()
    except Exception as error:
        return seen[1:], type(error).__name__
    finally:
        server.stop()
    return seen[1:], "an answer"


for method, times in [("GET", 2), ("PUT", 2), ("DELETE", 2), ("POST", 1)]:
    seen, result = requests_seen(method)
    print(f"one {method}: the server saw {seen}, the caller {result}")
    assert seen == [method] * times and (result == "an answer") == (times == 2)
EOF
echo "as described"
