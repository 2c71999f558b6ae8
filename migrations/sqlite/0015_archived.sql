-- Only what the log itself says to be archived may go: each valid event of its stream is about 16384 events more.
DROP TRIGGER detached_no_shrink;
CREATE TRIGGER detached_no_shrink BEFORE UPDATE ON detached
WHEN new.size <= old.size OR new.size > (SELECT COALESCE(MAX(size), 0) FROM checkpoint) OR new.size >
    16384 * (SELECT COUNT(*) FROM event WHERE stream = 'log/archive' AND kind = 'log.archived' AND void IS NULL)
BEGIN SELECT RAISE(ABORT, 'the log is append-only: what is archived is under a signed head, is said to be, and is not brought back'); END;
