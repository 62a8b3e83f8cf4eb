#!/bin/sh
# SQLite's progress handler is not called while SELECT count(*) counts a table, however large.
# SQLite 3.40.1 (of Debian 12, by Python's sqlite3): over 300,000 rows, with a handler for each 100
# instructions, count(*) calls it less than 10 times, count(a) some thousand times. So a time limit
# that is made of Connection.set_progress_handler ends the second statement and never the first:
# counting is a single instruction.
set -eu
python3 - <<'EOF'
import sqlite3

print("SQLite", sqlite3.sqlite_version)
db = sqlite3.connect(":memory:")
db.execute("CREATE TABLE t (a)")
db.execute("""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000)
    INSERT INTO t SELECT i FROM n""")
calls = []
db.set_progress_handler(lambda: calls.append(1), 100)
counted = {}
for what in ("*", "a"):
    calls.clear()
    ((rows,),) = db.execute(f"SELECT count({what}) FROM t").fetchall()
    counted[what] = len(calls)
    print(f"count({what}): {rows:,} rows, the handler was called {len(calls):,} times")
assert counted["*"] < 10 < 1000 < counted["a"], counted
EOF
echo "as described"
