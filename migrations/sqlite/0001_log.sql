-- The log. Append-only: see the triggers at the end.
CREATE TABLE event (
    position  INTEGER PRIMARY KEY CHECK (position > 0),
    leaf      BLOB NOT NULL,
    leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
    event_id  TEXT NOT NULL UNIQUE,
    producer  TEXT NOT NULL,
    pseq      BIGINT NOT NULL CHECK (pseq > 0),
    stream    TEXT NOT NULL,
    version   BIGINT NOT NULL CHECK (version > 0),
    kind      TEXT NOT NULL,
    received  BIGINT NOT NULL,
    void      TEXT,
    UNIQUE (producer, pseq)
);
-- The lock of every stream: one valid event for each version.
CREATE UNIQUE INDEX event_version ON event (stream, version) WHERE void IS NULL;
CREATE INDEX event_void ON event (stream) WHERE void IS NOT NULL;

-- One row. Whoever appends replaces the size it read, and so keeps a second recorder out.
CREATE TABLE head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    size     BIGINT NOT NULL,
    root     BLOB NOT NULL,
    frontier BLOB NOT NULL,
    received BIGINT NOT NULL
);
INSERT INTO head (id, size, root, frontier, received)
VALUES (1, 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', x'', 0);

CREATE TABLE checkpoint (
    size   BIGINT NOT NULL,
    note   TEXT NOT NULL,
    signed BIGINT NOT NULL,
    PRIMARY KEY (size, signed)
);

CREATE TRIGGER event_no_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never changed'); END;
CREATE TRIGGER event_no_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never deleted'); END;
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a head is never changed'); END;
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a head is never deleted'); END;
CREATE TRIGGER head_no_shrink BEFORE UPDATE ON head WHEN new.size <= old.size
BEGIN SELECT RAISE(ABORT, 'the log is append-only: its head moves only when it grows'); END;
CREATE TRIGGER head_no_delete BEFORE DELETE ON head
BEGIN SELECT RAISE(ABORT, 'the log is append-only: its head is never deleted'); END;

-- INSERT OR REPLACE deletes rows without a word to the triggers above: what would replace is refused here.
CREATE TRIGGER event_no_replace BEFORE INSERT ON event
WHEN new.position <> (SELECT COALESCE(MAX(position), 0) + 1 FROM event)
    OR EXISTS (SELECT 1 FROM event WHERE event_id = new.event_id)
    OR EXISTS (SELECT 1 FROM event WHERE producer = new.producer AND pseq = new.pseq)
    OR (new.void IS NULL AND EXISTS (
        SELECT 1 FROM event WHERE stream = new.stream AND version = new.version AND void IS NULL))
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is added at its end, and never replaced'); END;
CREATE TRIGGER checkpoint_no_replace BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = new.size AND signed = new.signed)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: a head is never replaced'); END;
CREATE TRIGGER head_no_replace BEFORE INSERT ON head
BEGIN SELECT RAISE(ABORT, 'the log is append-only: it has one head'); END;
