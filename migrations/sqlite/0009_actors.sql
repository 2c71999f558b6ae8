-- Who acted in which event, so that what somebody did is found without reading the log. It is of the read model: a row of an
-- event is never changed, and so gets no further column.
CREATE TABLE acted (
    actor    TEXT NOT NULL,
    position BIGINT NOT NULL,
    stream   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    PRIMARY KEY (actor, position)
) WITHOUT ROWID;
