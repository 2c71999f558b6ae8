-- Roles. The owner cannot log in; the recorder may execute the append functions; the reader reads.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_owner') THEN
        CREATE ROLE decklog_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_recorder') THEN
        CREATE ROLE decklog_recorder NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_reader') THEN
        CREATE ROLE decklog_reader NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this cluster is migrated at the same moment
END $$;

-- The log. Partitioned by position, because proofs and retention go by position.
CREATE TABLE event (
    position  BIGINT NOT NULL CHECK (position > 0),
    leaf      BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL CHECK (octet_length(leaf_hash) = 32),
    event_id  TEXT NOT NULL,
    producer  TEXT NOT NULL,
    pseq      BIGINT NOT NULL CHECK (pseq > 0),
    stream    TEXT COLLATE "C" NOT NULL,
    version   BIGINT NOT NULL CHECK (version > 0),
    kind      TEXT NOT NULL,
    received  BIGINT NOT NULL,
    void      TEXT,
    PRIMARY KEY (position)
) PARTITION BY RANGE (position);
CREATE INDEX event_void ON event (stream) WHERE void IS NOT NULL;

-- Keys that must hold over all partitions stand in tables of their own.
-- COLLATE "C": compared as bytes, so no new C library can put an index out of order.
CREATE TABLE event_id (event_id TEXT COLLATE "C" PRIMARY KEY, position BIGINT NOT NULL);
CREATE TABLE event_producer (
    producer TEXT COLLATE "C" NOT NULL, pseq BIGINT NOT NULL, position BIGINT NOT NULL,
    PRIMARY KEY (producer, pseq)
);
CREATE TABLE event_version (
    stream TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, position BIGINT NOT NULL,
    PRIMARY KEY (stream, version)
);

-- One row. Whoever appends replaces the size it read, and so keeps a second recorder out.
CREATE TABLE head (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    size     BIGINT NOT NULL,
    root     BYTEA NOT NULL,
    frontier BYTEA NOT NULL,
    received BIGINT NOT NULL
);
INSERT INTO head (id, size, root, frontier, received)
VALUES (1, 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '', 0);

CREATE TABLE checkpoint (
    size   BIGINT NOT NULL,
    note   TEXT NOT NULL,
    signed BIGINT NOT NULL,
    PRIMARY KEY (size, signed)
);

CREATE FUNCTION decklog_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END $$;

CREATE FUNCTION decklog_refuse_shrink() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Not even another root for the same size: whatever moves the head has appended.
    IF NEW.size <= OLD.size THEN
        RAISE EXCEPTION 'the log is append-only: its head moves only when it grows';
    END IF;
    RETURN NEW;
END $$;

-- ENABLE ALWAYS: they hold under session_replication_role = replica too.
CREATE FUNCTION decklog_guard(guarded TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION decklog_refuse_change()', guarded);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_change', guarded);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION decklog_refuse_change()', guarded);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', guarded);
END $$;

SELECT decklog_guard(t) FROM unnest(ARRAY['event_id', 'event_producer', 'event_version', 'checkpoint']) AS t;
-- Row triggers of a partitioned table are cloned to its partitions, but neither their ALWAYS state nor a
-- TRUNCATE trigger is: each partition gets its own.
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION decklog_refuse_change();
ALTER TABLE event ENABLE ALWAYS TRIGGER no_truncate;
CREATE TRIGGER no_shrink BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION decklog_refuse_shrink();
ALTER TABLE head ENABLE ALWAYS TRIGGER no_shrink;
CREATE TRIGGER no_change BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION decklog_refuse_change();
ALTER TABLE head ENABLE ALWAYS TRIGGER no_change;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON head FOR EACH STATEMENT EXECUTE FUNCTION decklog_refuse_change();
ALTER TABLE head ENABLE ALWAYS TRIGGER no_truncate;

-- A partition of a million positions, with its own guard.
CREATE FUNCTION decklog_make_partition(number BIGINT) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name TEXT := format('event_%s', lpad(number::text, 6, '0'));
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF event FOR VALUES FROM (%s) TO (%s)',
        name, number * 1000000, (number + 1) * 1000000);
    PERFORM decklog_guard(name);
END $$;
SELECT decklog_make_partition(0);

-- The only way in. One call is one batch: the compare-and-swap of the head fences every other recorder.
CREATE FUNCTION decklog_append(
    old_size BIGINT, new_size BIGINT, old_root BYTEA, new_root BYTEA, new_frontier BYTEA, new_received BIGINT,
    positions BIGINT[], leaves BYTEA[], hashes BYTEA[], ids TEXT[], producers TEXT[], pseqs BIGINT[],
    streams TEXT[], versions BIGINT[], kinds TEXT[], receiveds BIGINT[], voids TEXT[]
) RETURNS BOOLEAN LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF COALESCE(cardinality(positions), 0) = 0
        OR positions IS DISTINCT FROM ARRAY(SELECT generate_series(old_size + 1, new_size)) THEN
        RAISE EXCEPTION 'a batch at % positions cannot grow the log from % to %', cardinality(positions), old_size, new_size;
    END IF;
    UPDATE head SET size = new_size, root = new_root, frontier = new_frontier, received = new_received
    WHERE id = 1 AND size = old_size AND root = old_root;
    IF NOT FOUND THEN
        RETURN FALSE;
    END IF;
    IF old_size / 1000000 <> new_size / 1000000 OR old_size = 0 THEN
        PERFORM decklog_make_partition(new_size / 1000000);
    END IF;
    INSERT INTO event (position, leaf, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void)
    SELECT * FROM unnest(positions, leaves, hashes, ids, producers, pseqs, streams, versions, kinds, receiveds, voids);
    INSERT INTO event_id (event_id, position) SELECT * FROM unnest(ids, positions);
    INSERT INTO event_producer (producer, pseq, position) SELECT * FROM unnest(producers, pseqs, positions);
    INSERT INTO event_version (stream, version, position)
    SELECT s, v, p FROM unnest(streams, versions, positions, voids) AS u(s, v, p, void) WHERE void IS NULL;
    RETURN TRUE;
END $$;

CREATE FUNCTION decklog_append_checkpoint(new_size BIGINT, new_note TEXT, new_signed BIGINT) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO checkpoint (size, note, signed) VALUES (new_size, new_note, new_signed)
$$;

DO $$
DECLARE
    made TEXT;
BEGIN
    FOR made IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        AND (tablename LIKE 'event%' OR tablename IN ('head', 'checkpoint'))
    LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO decklog_owner', made);
    END LOOP;
END $$;
GRANT CREATE, USAGE ON SCHEMA public TO decklog_owner;
-- Before PostgreSQL 15 everybody could put objects there.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER FUNCTION decklog_refuse_change() OWNER TO decklog_owner;
ALTER FUNCTION decklog_refuse_shrink() OWNER TO decklog_owner;
ALTER FUNCTION decklog_guard(TEXT) OWNER TO decklog_owner;
ALTER FUNCTION decklog_make_partition(BIGINT) OWNER TO decklog_owner;
ALTER FUNCTION decklog_append(BIGINT, BIGINT, BYTEA, BYTEA, BYTEA, BIGINT, BIGINT[], BYTEA[], BYTEA[], TEXT[], TEXT[],
    BIGINT[], TEXT[], BIGINT[], TEXT[], BIGINT[], TEXT[]) OWNER TO decklog_owner;
ALTER FUNCTION decklog_append_checkpoint(BIGINT, TEXT, BIGINT) OWNER TO decklog_owner;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decklog_append(BIGINT, BIGINT, BYTEA, BYTEA, BYTEA, BIGINT, BIGINT[], BYTEA[], BYTEA[],
    TEXT[], TEXT[], BIGINT[], TEXT[], BIGINT[], TEXT[], BIGINT[], TEXT[]) TO decklog_recorder;
GRANT EXECUTE ON FUNCTION decklog_append_checkpoint(BIGINT, TEXT, BIGINT) TO decklog_recorder;
GRANT SELECT ON event, event_id, event_producer, event_version, head, checkpoint TO decklog_recorder, decklog_reader;
GRANT SELECT ON _sqlx_migrations TO decklog_recorder, decklog_reader;
