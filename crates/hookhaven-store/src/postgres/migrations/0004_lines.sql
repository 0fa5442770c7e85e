-- Lines, requests that hold several events, digests of bodies. Whoever knows version 3 only neither reads nor writes
-- what is new here: the columns are null unless said otherwise.

-- Of a delivery that is ordered: its line, its place there, its version in a line where the newest goes, and all of it
-- in the codec's encoding. `session` -1 is the line's: it keeps back what is not first. Who knows nothing of lines takes
-- it for a session that stands, and leaves what it holds alone. `own_due_at` is when one that is first would be due if
-- the line were not parked until `due_at`.
ALTER TABLE live
    ADD COLUMN line uuid,
    ADD COLUMN line_turn bigint,
    ADD COLUMN version uuid,
    ADD COLUMN ordering bytea,
    ADD COLUMN own_due_at timestamptz;
ALTER TABLE ended
    ADD COLUMN line uuid,
    ADD COLUMN version uuid,
    ADD COLUMN ordering bytea;
INSERT INTO sessions (id, ttl_us, until) VALUES (-1, 0, 'infinity');

-- Of each line those that are kept back, in turn; the open one; what is in hand.
CREATE INDEX live_lines ON live (line, session, line_turn, id) WHERE line IS NOT NULL;

-- What is known of a line beside its deliveries; whoever changes who is in it, or first, holds a lock on its row.
-- `day` is the slice of the event with the newest version, else of the one that came last; 0 if that outlived its day.
CREATE TABLE lines (
    id           uuid PRIMARY KEY,
    last_turn    bigint NOT NULL DEFAULT 0,
    newest       uuid,
    parked_by    uuid,
    parked_turn  bigint,
    parked_until timestamptz,
    day          int NOT NULL
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX lines_day ON lines (day);

-- What tells an event's bytes from others'. A part of a request is a piece of the body of the event `body_of`, which may
-- be itself and is in the same slice unless it outlived that.
ALTER TABLE events
    ADD COLUMN digest uuid,
    ADD COLUMN watched boolean,
    ADD COLUMN body_of uuid,
    ADD COLUMN body_from int,
    ADD COLUMN body_len int;
ALTER TABLE keys ADD COLUMN body uuid;
