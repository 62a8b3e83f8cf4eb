BEGIN TRANSACTION;
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
INSERT INTO "attempts" VALUES(0,1,1.79539106551293897633e+09,1.79539106551303982738e+09,1.79539106551373505585e+09,'accepted',200,NULL,'segmentation:image.png:d217d38f-f31f-409c-9729-bb0b8558be4a');
INSERT INTO "attempts" VALUES(1,1,1.79539106591182231901e+09,1.79539106591191267967e+09,1.79539106591404676437e+09,'accepted',200,NULL,'segmentation:image.png:4d32889d-4eb5-4123-a64f-b1a3ea331456');
INSERT INTO "attempts" VALUES(2,1,1.79539106631204295159e+09,1.79539106631288623806e+09,1.7953910663138959408e+09,'accepted',200,NULL,'segmentation:image.png:aac21917-e582-4df7-858a-742d8279a3d5');
CREATE TABLE changes (                 -- the statuses seen, in order
    ticket_id   INTEGER NOT NULL,
    observed_at REAL NOT NULL,
    after       REAL NOT NULL,         -- it was not yet there at this moment
    status      TEXT NOT NULL,
    updated_at  REAL,                  -- the server's own time
    updated_by  TEXT,
    PRIMARY KEY (ticket_id, observed_at)
) WITHOUT ROWID;
INSERT INTO "changes" VALUES(0,1.79539106572015166275e+09,1.79539106551303982738e+09,'pre-processing',1.79539106566338396066e+09,'segmentation-consumer-simulated-gpu-0000-7');
INSERT INTO "changes" VALUES(0,1.79539106602272868157e+09,1.79539106571948671345e+09,'predicting',1.79539106576338410373e+09,'segmentation-consumer-simulated-gpu-0000-7');
INSERT INTO "changes" VALUES(0,1.7953910663240115642e+09,1.79539106602138066296e+09,'saving-results',1.79539106631338500974e+09,'segmentation-consumer-simulated-gpu-0000-7');
INSERT INTO "changes" VALUES(0,1.79539106662572741507e+09,1.7953910663234057426e+09,'done',1.79539106651338505743e+09,'segmentation-consumer-simulated-gpu-0000-7');
INSERT INTO "changes" VALUES(1,1.7953910660803921223e+09,1.79539106591191267967e+09,'pre-processing',1.79539106606295299534e+09,'segmentation-consumer-simulated-gpu-0000-6');
INSERT INTO "changes" VALUES(1,1.79539106638262295715e+09,1.79539106607954668994e+09,'predicting',1.7953910661629519463e+09,'segmentation-consumer-simulated-gpu-0000-6');
INSERT INTO "changes" VALUES(2,1.79539106633984279636e+09,1.79539106631288623806e+09,'started',1.79539106631322407719e+09,'segmentation-consumer-simulated-gpu-0000-5');
INSERT INTO "changes" VALUES(2,1.79539106664438247685e+09,1.79539106633820271493e+09,'predicting',1.79539106656322407715e+09,'segmentation-consumer-simulated-gpu-0000-5');
CREATE TABLE cycles (
    cycle      INTEGER PRIMARY KEY,   -- from 1
    started_at REAL NOT NULL,         -- the moment from which due times count
    ended_at   REAL
);
INSERT INTO "cycles" VALUES(1,1.79539106551082801822e+09,NULL);
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,   -- schema_version, run_id, run_name, options (JSON), host, simulated,
    value TEXT NOT NULL       -- started_at, time_zero, ended_at, ended_by, finished
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('finished','false');
INSERT INTO "meta" VALUES('host','http://127.0.0.1:43719');
INSERT INTO "meta" VALUES('options','{"host": "http://127.0.0.1:43719", "simulate": false, "file": "image.png", "count": 6, "users": 6, "job_type": "segmentation", "model_name": "", "model_version": "", "scale": "1", "label": "", "preprocess": "", "postprocess": "", "dimension_order": "XYB", "channels": "0,,", "segmentation_type": "", "upload_prefix": "uploads", "update_interval_s": 0.3, "poll_backoff": 0.0, "start_delay_s": 0.4, "arrival": "constant", "arrival_seed": 384317109, "arrival_offsets_s": [], "ramp": null, "workload": "open", "num_cycles": 1, "cycle_interval_s": 0.0, "refresh_s": 10.0, "expire_s": 3600, "pool_size": 64, "request_timeout_s": 30.0, "retry_budget_s": 3600.0, "job_timeout_s": null, "stop_timeout_s": 30.0, "drain_timeout_s": 600.0, "run_time_s": null, "on_ambiguous": "resubmit", "num_gpus": 0, "output_dir": "results", "run_name": "old", "log_enabled": true, "log_level": "INFO", "log_file": "benchmark.log"}');
INSERT INTO "meta" VALUES('run_id','5cd34aa406184489af56d40ea1587741');
INSERT INTO "meta" VALUES('run_name','old');
INSERT INTO "meta" VALUES('schema_version','1');
INSERT INTO "meta" VALUES('simulated','false');
INSERT INTO "meta" VALUES('started_at','1795391064.9711387');
INSERT INTO "meta" VALUES('time_zero','1795391065.510828');
CREATE TABLE notes (                   -- what else happened, for people
    at        REAL NOT NULL,
    ticket_id INTEGER,
    text      TEXT NOT NULL
);
CREATE TABLE requests (
    id   INTEGER PRIMARY KEY,
    body TEXT NOT NULL                -- JSON of a JobRequest
);
INSERT INTO "requests" VALUES(1,'{"job_type": "segmentation", "image_name": "image.png", "uploaded_name": "uploads/image.png", "model_name": "", "model_version": "", "preprocess": "", "postprocess": "", "scale": "1", "label": "", "dimension_order": "XYB", "channels": "0,,", "segmentation_type": ""}');
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
INSERT INTO "tickets" VALUES(0,1,0,'closed',1.79539106551082801822e+09,'image.png','Kiosk',1,1.79539106501071262355e+09,'segmentation:image.png:d217d38f-f31f-409c-9729-bb0b8558be4a',1.79539106551303982738e+09,0,4,'done',1.7953910663234057426e+09,1.79539106662572741507e+09,'done',NULL,1.79539106662593030928e+09,NULL,1,0,1.00038504600524902343e+00,'finished_at',3.850460052490234375e-04,'{"status": "done", "created_at": "2026-11-22T23:44:25.513Z", "updated_at": "2026-11-22T23:44:26.513385+00:00", "updated_by": "segmentation-consumer-simulated-gpu-0000-7", "finished_at": "2026-11-22T23:44:26.513385+00:00", "output_url": "http://127.0.0.1:43719/storage/output/d217d38f-f31f-409c-9729-bb0b8558be4a.zip", "output_file_name": "output/d217d38f-f31f-409c-9729-bb0b8558be4a.zip", "total_jobs": "1", "total_time": "1.0", "download_time": "0.15", "upload_time": "0.2", "prediction_time": "0.4", "postprocess_time": "0.15", "predict_retries": "0", "identity_started": "segmentation-consumer-simulated-gpu-0000-7"}');
INSERT INTO "tickets" VALUES(1,1,1,'submitted',1.79539106591082811351e+09,'image.png','Kiosk',1,1.79539106501086068159e+09,'segmentation:image.png:4d32889d-4eb5-4123-a64f-b1a3ea331456',1.79539106591191267967e+09,0,0,'predicting',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tickets" VALUES(2,1,2,'submitted',1.79539106631082797053e+09,'image.png','Kiosk',1,1.79539106501089906686e+09,'segmentation:image.png:aac21917-e582-4df7-858a-742d8279a3d5',1.79539106631288623806e+09,0,0,'predicting',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tickets" VALUES(3,1,3,'leased',1.7953910667108280659e+09,'image.png','Kiosk',1,1.79539106501094079012e+09,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tickets" VALUES(4,1,4,'leased',1.79539106711082792279e+09,'image.png','Kiosk',1,1.79539106501097059246e+09,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tickets" VALUES(5,1,5,'leased',1.79539106751082801821e+09,'image.png','Kiosk',1,1.79539106501100206372e+09,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX tickets_not_closed ON tickets (id) WHERE state <> 'closed';
COMMIT;
