-- The ledger of one run: what was planned, and all that is known of it.
-- Times are REAL seconds since the epoch, durations REAL seconds.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,   -- schema_version, run_id, run_name, options (JSON), user_classes (JSON: name and parts
                              -- of each), versions (JSON), host, simulated, definitions_version,
                              -- input_remarks (JSON: what was said of files), started_at, time_zero, ended_at,
                              -- ended_by, finished, alive_at, sendable_s, simulated_elsewhere,
                              -- earlier_results, cost, judgement, generator, earlier_generator, page (JSON),
                              -- finish, finish_after (JSON: which steps of the run's end are complete),
                              -- and of each worker its clock's skew (JSON);
                              -- send_account (the token of an account of what is sent), and of workers
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Each process that worked on the run: the one that began it, and those that resumed it.
CREATE TABLE sessions (
    number     INTEGER PRIMARY KEY,   -- from 1
    started_at REAL NOT NULL,
    time_zero  REAL,                  -- when its first job was due
    ended_at   REAL,                  -- NULL: it goes on, or it died and nobody resumed it yet
    ended_by   TEXT,
    changed    TEXT NOT NULL          -- JSON: options that changed, by name: [before, now]
);

CREATE TABLE cycles (
    cycle      INTEGER PRIMARY KEY,   -- from 1
    started_at REAL NOT NULL,         -- the moment from which due times count
    ended_at   REAL
);

-- What was asked of the Kiosk; jobs that ask for the same share a row.
CREATE TABLE requests (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL                -- JSON of a JobRequest
);

-- The files that the run uploads, in the order of its tickets.
CREATE TABLE inputs (
    number INTEGER PRIMARY KEY,       -- from 0
    path   TEXT NOT NULL,             -- below options.transfers.root
    size   INTEGER NOT NULL,          -- bytes
    kind   TEXT NOT NULL,             -- PNG | JPEG | TIFF | ZIP | TRACK
    images INTEGER NOT NULL,          -- 1, or the jobs that the Kiosk makes of a ZIP
    array  TEXT NOT NULL DEFAULT ''   -- reader, axes, shape: 'tifffile ZYX 3,20,30'; '': not known
);

-- A ticket gets its row when it is leased or closed; before that it stands in the plan alone.
CREATE TABLE tickets (
    id              INTEGER PRIMARY KEY,
    cycle           INTEGER NOT NULL,
    number          INTEGER NOT NULL,  -- from 0 in each cycle
    state           TEXT NOT NULL CHECK (state IN ('open', 'leased', 'submitted', 'closed')),
    due_at          REAL,              -- NULL: no time was promised (closed workload)
    file            TEXT NOT NULL,
    user_class      TEXT NOT NULL DEFAULT '',
    request_id      INTEGER REFERENCES requests (id),
    taken_at        REAL,
    job_id          TEXT,
    uploaded_name   TEXT,              -- what it is submitted for, once its upload is over
    submitted_at    REAL,
    ambiguous       INTEGER NOT NULL DEFAULT 0,
    polls           INTEGER NOT NULL DEFAULT 0,
    status          TEXT,              -- the last one seen
    observed_after  REAL,              -- the final status was not yet there at this moment
    observed_at     REAL,              -- the final status was there at this moment
    outcome         TEXT CHECK ((outcome IS NOT NULL) = (state = 'closed')),
    reason          TEXT,
    closed_at       REAL,
    expire_error    TEXT,
    images_done     INTEGER,
    images_failed   INTEGER,
    duration_s      REAL,              -- of the job, by the best source there is
    duration_from   TEXT,              -- finished_at | updated_at | observed
    queue_wait_s    REAL,              -- of an image job: duration less total_time
    fields          TEXT               -- JSON: the last reading of the hash, without its lists of children
);
-- Open work is found by these, however many tickets are closed; most never enter the second.
CREATE INDEX tickets_not_closed ON tickets (state) WHERE state <> 'closed';
CREATE INDEX tickets_open_ends ON tickets (outcome)
    WHERE outcome IN ('unfinished', 'timeout', 'error');

CREATE TABLE attempts (
    ticket_id   INTEGER NOT NULL,
    number      INTEGER NOT NULL,      -- from 1
    asked_at    REAL NOT NULL,         -- began to wait for a socket
    sent_at     REAL,
    received_at REAL,
    result      TEXT NOT NULL,         -- accepted | refused | not sent | maybe
    http_status INTEGER,
    error       TEXT,
    job_id      TEXT,
    PRIMARY KEY (ticket_id, number)
) WITHOUT ROWID;

CREATE TABLE uploads (                 -- of the tickets' files, those that failed too
    ticket_id   INTEGER NOT NULL,
    number      INTEGER NOT NULL,      -- from 1
    began_at    REAL NOT NULL,         -- the first byte was given to the socket, or to the bucket
    ended_at    REAL NOT NULL,         -- the answer was there, or it failed
    bytes       INTEGER NOT NULL,      -- of the file
    name        TEXT,                  -- where it is in the bucket; NULL: it failed
    error       TEXT,
    PRIMARY KEY (ticket_id, number)
) WITHOUT ROWID;
-- Each name is given once in a run; one that comes again is refused.
CREATE INDEX uploads_by_name ON uploads (name) WHERE name IS NOT NULL;

CREATE TABLE downloads (               -- of what jobs made: the last try of each
    ticket_id   INTEGER PRIMARY KEY,
    began_at    REAL NOT NULL,
    ended_at    REAL NOT NULL,
    bytes       INTEGER NOT NULL,      -- of the file
    tries       INTEGER NOT NULL,
    path        TEXT,                  -- on the machine whose process ran the job; NULL: it failed
    error       TEXT
);

CREATE TABLE changes (                 -- the statuses seen, and the phases of ZIPs, in order
    ticket_id   INTEGER NOT NULL,
    observed_at REAL NOT NULL,
    after       REAL NOT NULL,         -- it was not yet there at this moment
    status      TEXT NOT NULL,
    updated_at  REAL,                  -- the server's own time
    updated_by  TEXT,
    phase       TEXT,                  -- of a ZIP: queue | unpacking | children | packing
    PRIMARY KEY (ticket_id, observed_at)
) WITHOUT ROWID;

CREATE TABLE notes (                   -- what else happened, for people
    at        REAL NOT NULL,
    ticket_id INTEGER,
    text      TEXT NOT NULL
);
