-- Incidents are listed by the columns of runs: what each is about stands in job, its number in attempts, its state in state,
-- when it was opened in instant, when it was resolved in ended, its severity in pool, and what happened in message.
CREATE INDEX state_incident ON state (instant) WHERE type = 'incident';
CREATE INDEX state_incident_of ON state (job, attempts) WHERE type = 'incident';
CREATE INDEX state_incident_open ON state (instant) WHERE type = 'incident' AND ended IS NULL;
