-- Lists by filter. Whoever knows an earlier version only does not write what is new here: `last_status` is null then.

-- HTTP status of the last attempt; 0: it came to none.
ALTER TABLE live ADD COLUMN last_status smallint;
ALTER TABLE ended ADD COLUMN last_status smallint;

-- By two names and the id: of each pair of names the rows in the order of their ids.
CREATE INDEX events_kind ON events (source, event_type, id);
CREATE INDEX ended_kind ON ended (source, event_type, id);
CREATE INDEX ended_way ON ended (destination, route, id);

-- What was not simply delivered (class 1 is ok, state 2 delivered).
CREATE INDEX ended_class ON ended (last_class, id) WHERE last_class <> 1;
CREATE INDEX ended_status ON ended (last_status, id) WHERE last_class <> 1;
CREATE INDEX ended_undelivered ON ended (state, id) WHERE state <> 2;
CREATE INDEX ended_letters ON ended (id) WHERE state = 3 AND replaced_by IS NULL AND dismissed_at IS NULL;
