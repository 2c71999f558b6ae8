-- Requests of auditors are listed by the columns of runs: the number of each stands in attempts, its state in state, when it was
-- asked in instant, until when it is to be answered in started, when it was accepted or withdrawn in ended, and its title in
-- message.
CREATE INDEX state_request ON state (attempts) WHERE type = 'request';
CREATE INDEX state_request_open ON state (attempts) WHERE type = 'request' AND ended IS NULL;
