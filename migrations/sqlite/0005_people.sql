-- Whether whoever acts has an account that may.
ALTER TABLE ledger ADD COLUMN accounts BIGINT NOT NULL DEFAULT 0;
-- Of what is defined, scheduled says that a change of it waits for somebody.
CREATE INDEX state_waiting ON state (stream) WHERE scheduled = 1 AND type <> 'run' AND type <> 'document';
