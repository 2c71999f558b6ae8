-- Leaves that are in files of the archive need not be here any more. Who may throw them away: a role of its own, which the
-- recorder's account has only if somebody gives it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'decklog_archivist') THEN
        CREATE ROLE decklog_archivist NOLOGIN IN ROLE decklog_reader;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this cluster is migrated at the same moment
END $$;

-- One row: of events up to this position the leaf is not here; everything else of them is.
CREATE TABLE detached (id BIGINT PRIMARY KEY CHECK (id = 1), size BIGINT NOT NULL);
INSERT INTO detached (id, size) VALUES (1, 0);
CREATE TRIGGER no_shrink BEFORE UPDATE ON detached FOR EACH ROW EXECUTE FUNCTION decklog_refuse_shrink();
ALTER TABLE detached ENABLE ALWAYS TRIGGER no_shrink;
CREATE TRIGGER no_change BEFORE DELETE ON detached FOR EACH ROW EXECUTE FUNCTION decklog_refuse_change();
ALTER TABLE detached ENABLE ALWAYS TRIGGER no_change;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON detached FOR EACH STATEMENT EXECUTE FUNCTION decklog_refuse_change();
ALTER TABLE detached ENABLE ALWAYS TRIGGER no_truncate;

-- The next partition, if all of it is archived: a table without leaves takes its place. Returns up to where leaves are gone.
-- Whoever waits for the log longer than this function may, would have everybody behind it wait too: it gives up, and is called again.
CREATE FUNCTION decklog_detach(archived BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    gone BIGINT;
    part TEXT;
    bounds TEXT[];
    wrong BIGINT;
BEGIN
    SELECT size INTO gone FROM detached WHERE id = 1 FOR UPDATE;
    SELECT c.relname, b.bounds INTO part, bounds FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
        LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''?(\d+)''?\) TO \(''?(\d+)''?\)') AS b(bounds)
    WHERE i.inhparent = 'public.event'::regclass AND b.bounds[1]::bigint <= gone + 1 AND gone + 1 < b.bounds[2]::bigint;
    IF part IS NULL OR bounds[2]::bigint - 1 > archived THEN
        RETURN gone;
    END IF;
    IF archived > (SELECT COALESCE(MAX(size), 0) FROM checkpoint) THEN
        RAISE EXCEPTION 'no head is signed over % events', archived;
    END IF;
    EXECUTE format('SELECT COUNT(*) FROM %I WHERE sha256(''\x00''::bytea || leaf) <> leaf_hash', part) INTO wrong;
    IF wrong > 0 THEN
        RAISE EXCEPTION '% leaves of % are not what their hashes say', wrong, part;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING CONSTRAINTS)', part || '_thin');
    EXECUTE format('INSERT INTO %I (position, leaf, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void)
        SELECT position, ''''::bytea, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void FROM %I',
        part || '_thin', part);
    EXECUTE format('ALTER TABLE event DETACH PARTITION %I', part);
    EXECUTE format('DROP TABLE %I', part);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', part || '_thin', part);
    EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, bounds[1], bounds[2]);
    PERFORM decklog_guard(part);
    UPDATE detached SET size = bounds[2]::bigint - 1 WHERE id = 1;
    RETURN bounds[2]::bigint - 1;
END $$;

ALTER TABLE detached OWNER TO decklog_owner;
ALTER FUNCTION decklog_detach(BIGINT) OWNER TO decklog_owner;
REVOKE ALL ON FUNCTION decklog_detach(BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decklog_detach(BIGINT) TO decklog_archivist;
GRANT SELECT ON detached TO decklog_recorder, decklog_reader, decklog_archivist;
