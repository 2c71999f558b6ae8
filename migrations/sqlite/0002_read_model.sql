-- The read model: computed from the events in the transaction that appends them, and again on demand.
CREATE TABLE state (
    stream    TEXT PRIMARY KEY,
    type      TEXT NOT NULL,
    version   BIGINT NOT NULL,
    -- None for a run: its few events tell it whole.
    body      TEXT,
    -- Columns of runs.
    job       TEXT,
    state     TEXT,
    pool      TEXT,
    instant   BIGINT,
    scheduled BIGINT,
    open      BIGINT,
    late      BIGINT,
    attempts  BIGINT,
    host      TEXT,
    started   BIGINT,
    ended     BIGINT,
    message   TEXT
) WITHOUT ROWID;
CREATE INDEX state_type ON state (type, stream) WHERE type <> 'run';
CREATE INDEX state_open ON state (stream) WHERE open = 1;
CREATE INDEX state_instant ON state (instant) WHERE type = 'run';
CREATE INDEX state_job ON state (job, instant) WHERE type = 'run';

-- Where each job stands among its occurrences and runs.
CREATE TABLE turn (
    job     TEXT PRIMARY KEY,
    settled BIGINT,
    busy    TEXT
) WITHOUT ROWID;

-- Who may append, and where each stands.
CREATE TABLE producer (
    id   TEXT PRIMARY KEY,
    key  TEXT NOT NULL,
    pseq BIGINT NOT NULL,
    last BLOB NOT NULL
);

-- What else must be known to judge the next event; one row.
CREATE TABLE ledger (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    origin        TEXT,
    head_key      TEXT,
    self_approval BIGINT NOT NULL
);
INSERT INTO ledger (id, self_approval) VALUES (1, 0);
