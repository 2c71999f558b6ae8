-- The read model: computed from the events in the transaction that appends them, and again on demand.
-- COLLATE "C": names are listed in the same order whatever the database's language.
CREATE TABLE state (
    stream    TEXT COLLATE "C" PRIMARY KEY,
    type      TEXT NOT NULL,
    version   BIGINT NOT NULL,
    -- None for a run: its few events tell it whole.
    body      TEXT,
    -- Columns of runs.
    job       TEXT,
    state     TEXT,
    pool      TEXT COLLATE "C",
    instant   BIGINT,
    scheduled BIGINT,
    open      BIGINT,
    late      BIGINT,
    attempts  BIGINT,
    host      TEXT,
    started   BIGINT,
    ended     BIGINT,
    message   TEXT
);
CREATE INDEX state_type ON state (type, stream) WHERE type <> 'run';
CREATE INDEX state_open ON state (stream) WHERE open = 1;
CREATE INDEX state_instant ON state (instant) WHERE type = 'run';
CREATE INDEX state_job ON state (job, instant) WHERE type = 'run';

-- Where each job stands among its occurrences and runs.
CREATE TABLE turn (
    job     TEXT COLLATE "C" PRIMARY KEY,
    settled BIGINT,
    busy    TEXT
);

-- Who may append, and where each stands.
CREATE TABLE producer (
    id   TEXT PRIMARY KEY,
    key  TEXT NOT NULL,
    pseq BIGINT NOT NULL,
    last BYTEA NOT NULL
);

-- What else must be known to judge the next event; one row.
CREATE TABLE ledger (
    id            BIGINT PRIMARY KEY CHECK (id = 1),
    origin        TEXT,
    head_key      TEXT,
    self_approval BIGINT NOT NULL
);
INSERT INTO ledger (id, self_approval) VALUES (1, 0);

GRANT SELECT, INSERT, UPDATE, DELETE ON state, turn, producer, ledger TO decklog_recorder;
GRANT SELECT ON state, turn, producer, ledger TO decklog_reader;
