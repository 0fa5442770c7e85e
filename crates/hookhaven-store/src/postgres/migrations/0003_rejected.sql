-- Rejected requests: a table that is kept small by whoever puts something in. Whoever knows an earlier version only
-- does not look at it.
CREATE TABLE rejected (
    id          uuid PRIMARY KEY,
    source      text NOT NULL,
    received_at timestamptz NOT NULL,
    reason      text NOT NULL,
    bytes       int NOT NULL,
    -- The whole of it, as in `quarantine/entry`.
    entry       bytea NOT NULL,
    -- The event that it became.
    event       uuid,
    released_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX rejected_source ON rejected (source, id);
