-- Leaves that are in files of the archive need not be here any more.
-- One row: of events up to this position the leaf is not here; everything else of them is.
CREATE TABLE detached (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL
);
INSERT INTO detached (id, size) VALUES (1, 0);
CREATE TRIGGER detached_no_shrink BEFORE UPDATE ON detached
WHEN new.size <= old.size OR new.size > (SELECT COALESCE(MAX(size), 0) FROM checkpoint)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: what is archived is under a signed head, and is not brought back'); END;
CREATE TRIGGER detached_no_delete BEFORE DELETE ON detached
BEGIN SELECT RAISE(ABORT, 'the log is append-only: what is archived is not brought back'); END;
CREATE TRIGGER detached_no_replace BEFORE INSERT ON detached
BEGIN SELECT RAISE(ABORT, 'the log is append-only: one row says what is archived'); END;

DROP TRIGGER event_no_update;
CREATE TRIGGER event_no_update BEFORE UPDATE ON event
WHEN new.leaf <> x'' OR old.position > (SELECT size FROM detached) OR new.position <> old.position
    OR new.leaf_hash <> old.leaf_hash OR new.event_id <> old.event_id OR new.producer <> old.producer
    OR new.pseq <> old.pseq OR new.stream <> old.stream OR new.version <> old.version OR new.kind <> old.kind
    OR new.received <> old.received OR new.void IS NOT old.void
BEGIN SELECT RAISE(ABORT, 'the log is append-only: an event is never changed'); END;
