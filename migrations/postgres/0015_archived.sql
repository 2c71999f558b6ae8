-- Only what the log itself says to be archived may go: each valid event of its stream is about 16384 events more. And the table that
-- takes the place of a partition has its indexes, and its bounds as a constraint, before anybody has to wait for it.
DROP FUNCTION decklog_detach(BIGINT);
CREATE FUNCTION decklog_detach(archived BIGINT) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    gone BIGINT;
    part TEXT;
    thin TEXT;
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
    IF archived > 16384 * (SELECT COUNT(*) FROM event_version v JOIN event e ON e.position = v.position
        WHERE v.stream = 'log/archive' AND e.kind = 'log.archived') THEN
        RAISE EXCEPTION 'the log does not say that % events are archived', archived;
    END IF;
    EXECUTE format('SELECT COUNT(*) FROM %I WHERE sha256(''\x00''::bytea || leaf) <> leaf_hash', part) INTO wrong;
    IF wrong > 0 THEN
        RAISE EXCEPTION '% leaves of % are not what their hashes say', wrong, part;
    END IF;
    thin := part || '_thin';
    EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING CONSTRAINTS INCLUDING INDEXES,
        CONSTRAINT bounds CHECK (position >= %s AND position < %s))', thin, bounds[1], bounds[2]);
    EXECUTE format('INSERT INTO %I (position, leaf, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void)
        SELECT position, ''''::bytea, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void FROM %I',
        thin, part);
    EXECUTE format('ALTER TABLE event DETACH PARTITION %I', part);
    EXECUTE format('DROP TABLE %I', part);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', thin, part);
    EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, bounds[1], bounds[2]);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT bounds', part);
    PERFORM decklog_guard(part);
    UPDATE detached SET size = bounds[2]::bigint - 1 WHERE id = 1;
    RETURN bounds[2]::bigint - 1;
END $$;

ALTER FUNCTION decklog_detach(BIGINT) OWNER TO decklog_owner;
REVOKE ALL ON FUNCTION decklog_detach(BIGINT) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decklog_detach(BIGINT) TO decklog_archivist;
