-- Producers of which events may be lost: what they say next may leave some out.
ALTER TABLE producer ADD COLUMN adrift BIGINT NOT NULL DEFAULT 0;
