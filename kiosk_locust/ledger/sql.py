"""The SQL of what happens to a run and its tickets, as `kiosk_locust.ledger.ledger` says it."""

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
TAKE = """UPDATE tickets SET user_class = ?, request_id = ?, taken_at = ?
    WHERE id = ? AND state = 'leased'"""
REOPEN = """UPDATE tickets SET state = 'open', taken_at = NULL, uploaded_name = NULL
    WHERE id = ? AND state = 'leased'"""
INPUT = "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)"
#: A name that the run has had before is no upload: the object may hold another ticket's file.
UPLOAD = """INSERT INTO uploads SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4,
    CASE WHEN taken THEN NULL ELSE ?5 END,
    CASE WHEN taken THEN 'the name ' || ?5 || ' was given to an earlier upload of this run, so a'
    || ' job on it could work on another file' ELSE ?6 END
    FROM (SELECT EXISTS (SELECT 1 FROM uploads WHERE name = ?5) AS taken)
    LEFT JOIN uploads ON ticket_id = ?1"""
UPLOADED = """UPDATE tickets SET uploaded_name = ?1 WHERE id = ?2 AND state = 'leased'
    AND ?1 = (SELECT name FROM uploads WHERE ticket_id = ?2 ORDER BY number DESC LIMIT 1)"""
#: The ticket whose upload has that name, where that is not the last upload of the ticket given.
REUSED = """SELECT ticket_id FROM uploads WHERE name = ?2 AND ?2 IS NOT
    (SELECT name FROM uploads WHERE ticket_id = ?1 ORDER BY number DESC LIMIT 1)"""
NOTE = "INSERT INTO notes VALUES (?, ?, ?)"
DOWNLOAD = "INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?, ?, ?)"
ATTEMPT = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
AMBIGUOUS = "UPDATE tickets SET ambiguous = 1 WHERE id = ?"
SUBMIT = "UPDATE tickets SET state = 'submitted', job_id = ?, submitted_at = ? WHERE id = ?"
CHANGE = """INSERT OR REPLACE INTO changes
    (ticket_id, observed_at, after, status, updated_at, updated_by, phase)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
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

#: Of a ticket: something of it was sent, a submission or its whole file.
WAS_SENT = """(EXISTS (SELECT 1 FROM attempts WHERE ticket_id = id AND result <> 'not sent')
    OR EXISTS (SELECT 1 FROM uploads WHERE ticket_id = id AND name IS NOT NULL))"""
