-- Documents are listed by the columns of runs: the queue stands in pool, the run it is of in job, the form in message,
-- when it was spooled in instant, and when its content was erased in ended.
CREATE INDEX state_document ON state (instant) WHERE type = 'document';
CREATE INDEX state_document_queue ON state (pool, instant) WHERE type = 'document';
CREATE INDEX state_document_run ON state (job) WHERE type = 'document';
