-- Producers whose key counts no more: when it was taken back stands in the events.
ALTER TABLE producer ADD COLUMN revoked BIGINT NOT NULL DEFAULT 0;
