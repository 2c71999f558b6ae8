-- Occurrences that a host has leave to decide are accounted for apart, some run ahead of their time, and locks have
-- holders.
ALTER TABLE turn ADD COLUMN leased TEXT;
ALTER TABLE turn ADD COLUMN ahead TEXT;
ALTER TABLE turn ADD COLUMN holders TEXT;
-- The form of what the read model keeps; where it is another than the program's, the model is computed again.
ALTER TABLE ledger ADD COLUMN model BIGINT NOT NULL DEFAULT 1;
