#!/bin/sh
# Who only reads a SQLite database in WAL mode by `mode=ro` leaves two files beside it.
# SQLite 3.51.1 (pysqlite3-binary 0.5.4.post2): a database that was closed has no -wal and -shm;
# a read-only connection makes both, and cannot take them away when it closes. A connection that may
# write takes them away, also if it only reads; immutable=1 makes none.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pysqlite3-binary==0.5.4.post2
cd "$work"
mkdir db
venv/bin/python - <<'EOF'
import os

from pysqlite3 import dbapi2 as sqlite

print("SQLite", sqlite.sqlite_version)


def files_after(parameters):
    db = sqlite.connect(f"file:db/a.db?{parameters}", uri=True)
    db.execute("SELECT count(*) FROM t").fetchall()
    db.close()
    return sorted(os.listdir("db"))


db = sqlite.connect("db/a.db")
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE t (x)")
db.commit()
db.close()
assert os.listdir("db") == ["a.db"]
for parameters, expected in [
    ("immutable=1", ["a.db"]),
    ("mode=ro", ["a.db", "a.db-shm", "a.db-wal"]),
    ("mode=rw", ["a.db"]),
]:
    found = files_after(parameters)
    print(f"{parameters}: {' '.join(found)}")
    assert found == expected
EOF
echo "as described"
