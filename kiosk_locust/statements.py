"""The SQL of what happens to a run and its tickets, as `kiosk_locust.ledger` says it."""

from __future__ import annotations

META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
BEGIN_CYCLE = """INSERT INTO cycles VALUES (?, ?, NULL)
    ON CONFLICT (cycle) DO UPDATE SET ended_at = NULL"""
LEASE = """INSERT INTO tickets
    (id, cycle, number, state, due_at, file, user_class, request_id, taken_at)
    VALUES (?, ?, ?, 'leased', ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
    SET state = 'leased', due_at = excluded.due_at, user_class = excluded.user_class,
    uploaded_name = NULL, request_id = excluded.request_id, taken_at = excluded.taken_at
    WHERE state = 'open'"""
REOPEN = """UPDATE tickets SET state = 'open', taken_at = NULL, uploaded_name = NULL
    WHERE id = ? AND state = 'leased'"""
INPUT = "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)"
UPLOAD = """INSERT INTO uploads SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6
    FROM uploads WHERE ticket_id = ?1"""
UPLOADED = "UPDATE tickets SET uploaded_name = ? WHERE id = ? AND state = 'leased'"
DOWNLOAD = "INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?, ?, ?)"
ATTEMPT = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
AMBIGUOUS = "UPDATE tickets SET ambiguous = 1 WHERE id = ?"
SUBMIT = "UPDATE tickets SET state = 'submitted', job_id = ?, submitted_at = ? WHERE id = ?"
CHANGE = "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?)"
STATUS = "UPDATE tickets SET status = ? WHERE id = ?"
CLOSE = """UPDATE tickets SET state = 'closed', outcome = ?, reason = ?, closed_at = ?,
    polls = ?, status = ?, observed_after = ?, observed_at = ?, images_done = ?,
    images_failed = ?, duration_s = ?, duration_from = ?, queue_wait_s = ?, fields = ?
    WHERE id = ? AND state <> 'closed'"""
NEVER_LEASED = """INSERT INTO tickets
    (id, cycle, number, state, due_at, file, outcome, reason, closed_at)
    VALUES (?, ?, ?, 'closed', ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
    SET state = 'closed', outcome = excluded.outcome, reason = excluded.reason,
    closed_at = excluded.closed_at WHERE state <> 'closed'"""
