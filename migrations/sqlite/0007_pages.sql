-- Pages list runs by their state and by their pool, and count those of a night by state without looking at each.
DROP INDEX state_instant;
CREATE INDEX state_run_instant ON state (instant, stream, state, late) WHERE type = 'run';
CREATE INDEX state_run_state ON state (state, instant, stream) WHERE type = 'run';
CREATE INDEX state_run_pool ON state (pool, instant, stream) WHERE type = 'run';
-- Jobs are listed by their state, and documents by theirs and by their form.
CREATE INDEX state_job_state ON state (state, stream) WHERE type = 'job';
CREATE INDEX state_document_state ON state (state, instant) WHERE type = 'document';
CREATE INDEX state_document_form ON state (message, instant) WHERE type = 'document';
