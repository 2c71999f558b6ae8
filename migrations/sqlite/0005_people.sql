-- Whether whoever acts has an account that may.
ALTER TABLE ledger ADD COLUMN accounts BIGINT NOT NULL DEFAULT 0;
