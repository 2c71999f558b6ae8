-- Events are found by their type, newest first.
CREATE INDEX event_kind ON event (kind, position);
