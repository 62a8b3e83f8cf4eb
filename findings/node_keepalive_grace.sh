#!/bin/sh
# Node's HTTP server closes a kept connection a second later than it says, from Node 20 on.
# `Keep-Alive: timeout=5` stands in the answers of Node 20.20.2 and of 16.20.2; an idle connection
# is closed after 6.0 s by the first and after 5.0 s by the second. A client that reuses
# connections up to the announced time is safe with 20 and races the server with 16.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >probe.js <<'JS'
const http = require("http");
const net = require("net");
const server = http.createServer((request, response) => response.end("ok"));
server.listen(0, "127.0.0.1", () => {
  const socket = net.connect(server.address().port, "127.0.0.1");
  let answered, announced;
  socket.on("data", (data) => {
    answered = Date.now();
    announced = /keep-alive: (timeout=\d+)/i.exec(data.toString())[1];
  });
  socket.on("end", () => {
    const idle = (Date.now() - answered) / 1000;
    console.log(`${process.version} ${announced} closed after ${idle.toFixed(1)} s`);
    process.exit(0);
  });
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
});
JS
for version in 20.20.2 16.20.2; do
    npm install --silent --no-audit --no-fund --prefix "$version" "node@$version" >/dev/null
    "$version/node_modules/.bin/node" probe.js | tee -a seen
done
grep -Eq '^v20\.20\.2 timeout=5 closed after (5\.9|6\.[0-2]) s$' seen
grep -Eq '^v16\.20\.2 timeout=5 closed after (4\.9|5\.[0-2]) s$' seen
echo "as described"
