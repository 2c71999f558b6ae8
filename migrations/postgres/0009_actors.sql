-- Who acted in which event, so that what somebody did is found without reading the log. It is of the read model: a row of an
-- event is never changed, and so gets no further column.
CREATE TABLE acted (
    actor    TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    stream   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    PRIMARY KEY (actor, position)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON acted TO decklog_recorder;
GRANT SELECT ON acted TO decklog_reader;
